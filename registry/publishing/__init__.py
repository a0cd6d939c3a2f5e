"""The TUF repository of each jurisdiction, as folder and as zip."""

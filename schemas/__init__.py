"""What all parties must agree on: the shapes of claims, verdicts, problems and documents."""

# Sourced by a shell in the project's folder after `make demo`: `as NAME COMMAND ...` runs a program
# as one of the demo's parties (registry, bureau, experts, board, lin, alice, chan, desk).
TALENTSEAL_ROOT=$(pwd)
TALENTSEAL_DEMO=${TALENTSEAL_DEMO:-$TALENTSEAL_ROOT/.demo}
PATH=${TALENTSEAL_BIN:-$TALENTSEAL_ROOT/.venv/bin}:$PATH
cd "$TALENTSEAL_DEMO" || return 1

as() {
    party=$1
    shift
    TALENTSEAL_HOME=$TALENTSEAL_DEMO/$party \
        TALENTSEAL_EXCHANGE=$TALENTSEAL_DEMO/exchange \
        TALENTSEAL_TRUST_SOURCE=$TALENTSEAL_DEMO/registry/registry/public \
        TALENTSEAL_VERIFIER_HOST=verify.sz.example \
        TALENTSEAL_VAULT_PASSPHRASE_FILE=$TALENTSEAL_DEMO/vault-passphrase \
        "$@"
}

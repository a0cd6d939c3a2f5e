# Sourced by a shell in the project's folder after `make demo` or `make up`: `as NAME COMMAND ...` runs
# a program as one of the demo's parties (registry, bureau, experts, board, lin, alice, chan, desk,
# counter). Settings are those of the network, from examples/network.py.
TALENTSEAL_ROOT=$(pwd)
export TALENTSEAL_DEMO=${TALENTSEAL_DEMO:-$TALENTSEAL_ROOT/.demo}
PATH=${TALENTSEAL_BIN:-$TALENTSEAL_ROOT/.venv/bin}:$PATH
cd "$TALENTSEAL_DEMO" || return 1
eval "$(python "$TALENTSEAL_ROOT/examples/network.py" addresses)"  # $REGISTRY, $ISSUER, $VERIFIER

as() {
    party=$1
    shift
    env $(python "$TALENTSEAL_ROOT/examples/network.py" settings "$party") "$@"
}

// error: expected `Token<'_, OwnArea, ByMmCid>`, found `Token<'_, OwnArea>`
use rseq_core::{ByMmCid, OwnArea, Token};

fn unproven<'r>(token: Token<'r, OwnArea>) -> Token<'r, OwnArea, ByMmCid> {
    token
}

fn main() {}

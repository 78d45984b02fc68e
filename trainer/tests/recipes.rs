//! The recipes of classic designs, against the same designs in `cratedigger-zoo`.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use cratedigger_trainer::config::{Config, Overrides};
use cratedigger_zoo::Architecture;
use cratedigger_zoo::nets::BranchedConfig;

#[test]
fn recipes_have_the_designs_of_the_zoo() {
    let mut ann = Architecture::Branched(BranchedConfig::ann());
    ann.set_dropout(0.3);
    let designs = [
        ("bigru-attention", BranchedConfig::bigru_attention()),
        ("bilstm", BranchedConfig::bilstm()),
        ("cnn-basic", BranchedConfig::cnn_basic()),
        ("cnn-enhanced", BranchedConfig::cnn_enhanced()),
        ("cnn-lstm", BranchedConfig::cnn_lstm()),
        ("cnn-naive", BranchedConfig::cnn_naive()),
        ("cnn-regularized", BranchedConfig::cnn_regularized()),
        ("cnn-stacked", BranchedConfig::cnn_stacked()),
        ("fusion", BranchedConfig::fusion()),
        ("fusion-hybrid", BranchedConfig::fusion_hybrid()),
        ("lstm", BranchedConfig::lstm()),
        ("short-chunk-cnn", BranchedConfig::short_chunk_cnn(16)),
        ("texture", BranchedConfig::texture()),
        ("transformer", BranchedConfig::transformer()),
    ];
    let designs = designs.map(|(name, config)| (name, Architecture::Branched(config)));
    for (name, design) in designs.into_iter().chain([("ann", ann)]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recipes/{name}.toml"));
        assert_eq!(Config::read(&path, &Overrides::default()).unwrap().network, design, "{name}");
    }
}

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cratedigger_zoo::nets::*;
use serde::{Deserialize, Serialize};

macro_rules! any {
    ($($kind:ident: $config:ty => $net:ty,)*) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Architecture { $($kind($config),)* }
        #[derive(Module, Debug)]
        pub enum Network { $($kind($net),)* }
        impl Architecture {
            pub fn name(&self) -> String { match self { $(Self::$kind(c) => c.summary(),)* } }
            pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> { match self { $(Self::$kind(c) => c.validate(parts),)* } }
            pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Network {
                match self { $(Self::$kind(c) => Network::$kind(c.init(parts, classes, device)),)* }
            }
        }
        impl Network {
            pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> { match self { $(Self::$kind(c) => c.forward(parts),)* } }
            pub fn frozen(self, what: Freeze) -> Result<Self, String> { Ok(match self { $(Self::$kind(c) => Self::$kind(c.frozen(what)?),)* }) }
        }
    };
}
any! {
    Branched: BranchedConfig => Branched,
    Vgg19: Vgg19Config => Vgg19,
    MobileNetV2: MobileNetV2Config => Inverted,
    EfficientNetB0: EfficientNetB0Config => Inverted,
    InceptionV3: InceptionV3Config => InceptionV3,
}

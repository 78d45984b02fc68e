//! AdamW: on the CPU in one pass over memory, on other devices burn's.

use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::{Device, Tensor};
use cratedigger_cpu_ops::training;

/// burn's defaults, named because a step on the CPU needs their values.
const BETAS: [f32; 2] = [0.9, 0.999];

/// burn's AdamW, whose state it shares: a run can be resumed on another device.
#[derive(Clone)]
pub struct AdamW {
    decay: f32,
    epsilon: f32,
    burn: burn::optim::AdamW,
}

impl AdamW {
    /// With a weight decay, ε, and burn's default betas.
    pub fn new(decay: f32, epsilon: f32) -> Self {
        let burn = AdamWConfig::new()
            .with_beta_1(BETAS[0])
            .with_beta_2(BETAS[1])
            .with_epsilon(epsilon)
            .with_weight_decay(decay)
            .build();
        Self { decay, epsilon, burn }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        if ![&weights, &gradient].into_iter().all(training::is_here) {
            return self.burn.step(rate, weights, gradient, state);
        }
        let (time, moments) = match state.map(|state| state.momentum) {
            Some(state) => (state.time + 1, [state.moment_1, state.moment_2]),
            None => (1, [weights.zeros_like(), weights.zeros_like()]),
        };
        let step = training::AdamW {
            betas: BETAS,
            epsilon: self.epsilon,
            rate: rate as f32,
            kept: (1.0 - rate * f64::from(self.decay)) as f32,
            time: i32::try_from(time).unwrap_or(i32::MAX),
        };
        let (weights, [moment_1, moment_2]) = step.step(weights, gradient, moments);
        (weights, Some(AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        <burn::optim::AdamW as Optimizer>::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::{GradientsParams, ModuleOptimizer};
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    /// Steps with gradients of very different sizes, a growing and then a falling rate, and a state that is saved and
    /// loaded in between, against burn's own.
    #[test]
    fn same_weights_as_burn() {
        let device = Device::flex().autodiff();
        let start = LinearConfig::new(300, 300).init(&device);
        // Weights are drawn when they are first used, and the inputs after them.
        let _ = (start.weight.val(), start.bias.as_ref().unwrap().val());
        let run = |mut optimizer: ModuleOptimizer, resume: &dyn Fn(ModuleOptimizer) -> ModuleOptimizer| {
            device.seed(3);
            let mut layer: Linear = start.clone();
            for (index, scale) in [1.0, 1e-6, 50.0, 0.0, 1e-2, 3.0].into_iter().enumerate() {
                let x = Tensor::<2>::random([7, 300], Distribution::Normal(0.0, scale), &device);
                let gradients = layer.forward(x).square().sum().backward();
                let gradients = GradientsParams::from_grads(gradients, &layer);
                layer = optimizer.step(1e-2 / (1.0 + (index as f64 - 2.0).powi(2)), layer, gradients);
                if index == 3 {
                    optimizer = resume(optimizer);
                }
            }
            (layer.weight.val().into_data(), layer.bias.unwrap().val().into_data())
        };
        let burns = || AdamWConfig::new().with_weight_decay(0.3).with_epsilon(1e-8).init();
        let ours = || ModuleOptimizer::from(AdamW::new(0.3, 1e-8));
        let expected = run(burns(), &|optimizer| optimizer);
        // The state is the same, so that each continues the other.
        let load = |empty: ModuleOptimizer, full: ModuleOptimizer| empty.load_record(full.to_record());
        for (optimizer, resume) in [
            (ours(), &(|o| o) as &dyn Fn(ModuleOptimizer) -> ModuleOptimizer),
            (ours(), &|o| load(burns(), o)),
            (burns(), &|o| load(ours(), o)),
        ] {
            let (weights, bias) = run(optimizer, resume);
            weights.assert_approx_eq::<f32>(&expected.0, Tolerance::rel_abs(1e-5, 1e-7));
            bias.assert_approx_eq::<f32>(&expected.1, Tolerance::rel_abs(1e-5, 1e-7));
        }
    }
}

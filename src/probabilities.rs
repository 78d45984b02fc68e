//! Probabilities of the classes, as the worker sends them.

use cratedigger_protocol::MemberOutput;

/// Probabilities of a segment or of a song.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// Probability of each class from all networks together.
    pub ensemble: Vec<f32>,
    /// The same from each network.
    pub members: Vec<MemberOutput>,
}

impl Probabilities {
    /// The most probable class.
    pub fn best(&self) -> Option<usize> {
        argmax(&self.ensemble)
    }

    /// Number of networks that predict the same class as the ensemble.
    pub fn agree(&self) -> usize {
        self.members.iter().filter(|member| argmax(&member.probabilities) == self.best()).count()
    }
}

/// Index of the largest value, the first one of equals; `None` for no values.
pub fn argmax(values: &[f32]) -> Option<usize> {
    ranked(values).first().map(|(class, _)| *class)
}

/// Classes with their values, the largest first; equals in the order of the classes.
pub fn ranked(values: &[f32]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = values.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranking_accepts_nan_and_keeps_the_order_of_equals() {
        let order = |values: &[f32]| ranked(values).into_iter().map(|(i, _)| i).collect::<Vec<_>>();
        assert_eq!(order(&[0.2, 0.6, 0.2]), [1, 0, 2]);
        assert_eq!(order(&[f32::NAN, 0.5]).len(), 2);
        assert_eq!(argmax(&[0.4, 0.1, 0.4]), Some(0));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn counts_the_networks_that_agree() {
        let member = |probabilities: [f32; 2]| MemberOutput {
            model: String::new(),
            probabilities: probabilities.to_vec(),
        };
        let both =
            Probabilities { ensemble: vec![0.4, 0.6], members: vec![member([0.9, 0.1]), member([0.2, 0.8])] };
        assert_eq!((both.best(), both.agree()), (Some(1), 1));
    }
}

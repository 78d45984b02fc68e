//! Predictions of the individual networks.

super::texts! {
    /// Predictions of the individual networks.
    Votes {
        title { en: "What each network predicts", de: "Was jedes Netz vorhersagt" }
        at { en: "At {0}:", de: "Bei {0}:" }
        whole { en: "The whole song:", de: "Das ganze Stück:" }
        all_agree { en: "all {0} networks agree. ", de: "alle {0} Netze stimmen überein. " }
        some_agree {
            en: "{0} of {1} networks agree with the result. ",
            de: "{0} von {1} Netzen stimmen mit dem Ergebnis überein. ",
        }
        split_at { en: "They disagree at {0}.", de: "Uneinig sind sie bei {0}." }
        network { en: "Network", de: "Netz" }
        prediction { en: "Prediction", de: "Vorhersage" }
    }
}

//! Live listening.

super::texts! {
    /// Live listening.
    Live {
        recording { en: "Recording", de: "Aufnahme" }
        tab_recording { en: "Tab recording", de: "Tab-Aufnahme" }
        hearing_microphone { en: "Listening to the microphone", de: "Hört über das Mikrofon zu" }
        hearing_tab { en: "Listening to the shared sound", de: "Hört dem geteilten Ton zu" }
        silence { en: "Silence", de: "Stille" }
        hint {
            en: "The genre of the last three seconds, updated about once per second. When you stop, the whole \
                 recording is analysed. It stays in this page’s memory until you close the page.",
            de: "Das Genre der letzten drei Sekunden, etwa jede Sekunde aktualisiert. Nach dem Anhalten wird die \
                 ganze Aufnahme analysiert. Sie bleibt im Speicher dieser Seite, bis du die Seite schließt.",
        }
        stop { en: "Stop", de: "Anhalten" }
    }
}

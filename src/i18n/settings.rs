//! The settings sheet.

super::texts! {
    /// The settings sheet.
    Settings {
        networks_fast { en: "Fast", de: "Schnell" }
        networks_full { en: "All", de: "Alle" }
        networks_hint {
            en: "One small network gives the first result. All networks are loaded after that.",
            de: "Ein kleines Netz liefert das erste Ergebnis. Danach werden alle Netze geladen.",
        }
        networks_ready {
            en: "{0} networks ({1} kB) predict together.",
            de: "{0} Netze ({1} kB) machen eine gemeinsame Vorhersage.",
        }
        networks_failed {
            en: "The other networks could not be loaded; the fast one stays in use.",
            de: "Die anderen Netze konnten nicht geladen werden; das schnelle wird weiter verwendet.",
        }
        rule_title { en: "How the networks are combined", de: "Wie die Netze kombiniert werden" }
        rule_measured { en: "As evaluated", de: "Wie evaluiert" }
        rule_sum { en: "Mean", de: "Mittelwert" }
        rule_product { en: "Product", de: "Produkt" }
        rule_vote { en: "Vote", de: "Abstimmung" }
        rule_hint {
            en: "The figures in “About the model” and the threshold for “None of these” were measured with \
                 the rule “As evaluated”.",
            de: "Die Werte in „Über das Modell“ und die Schwelle für „Keins davon“ wurden mit der Regel „Wie \
                 evaluiert“ gemessen.",
        }
        device_title { en: "Device", de: "Gerät" }
        device_auto { en: "Automatic", de: "Automatisch" }
        device_hint {
            en: "“Automatic” uses the device that was faster in a measurement.",
            de: "„Automatisch“ verwendet das Gerät, das in einer Messung schneller war.",
        }
        device_off { en: "not used", de: "nicht benutzt" }
        device_unavailable { en: "not available: {0}", de: "nicht verfügbar: {0}" }
        device_loading { en: "loading and checking…", de: "wird geladen und geprüft …" }
        device_ready { en: "checked, {0} per segment", de: "geprüft, {0} pro Abschnitt" }
        device_failed { en: "failed: {0}", de: "ausgefallen: {0}" }
        device_check {
            en: "largest difference from the reference {0}, tolerance {1}",
            de: "größte Abweichung von der Referenz {0}, Toleranz {1}",
        }
        theme_title { en: "Theme", de: "Farbschema" }
        theme_system { en: "System", de: "System" }
        theme_light { en: "Light", de: "Hell" }
        theme_dark { en: "Dark", de: "Dunkel" }
        language_title { en: "Language", de: "Sprache" }
        motion_title { en: "Motion", de: "Bewegung" }
        keep_still { en: "Turn off animations", de: "Animationen ausschalten" }
        history_title { en: "History", de: "Verlauf" }
        keep_history { en: "Keep results in this browser", de: "Ergebnisse in diesem Browser speichern" }
        history_hint {
            en: "Only names and results, never sound. If you turn this off, all kept results are deleted.",
            de: "Nur Namen und Ergebnisse, nie Ton. Beim Ausschalten werden alle gespeicherten Ergebnisse \
                 gelöscht.",
        }
        clear_history { en: "Clear the crate and the history", de: "Kiste und Verlauf leeren" }
        diagnostics_title { en: "Diagnostics", de: "Diagnose" }
        diagnostics_hint {
            en: "For a bug report; contains no file names.",
            de: "Für eine Fehlermeldung; enthält keine Dateinamen.",
        }
        copy_diagnostics { en: "Copy", de: "Kopieren" }
    }
}

//! Masthead, footer and announcements.

super::texts! {
    /// Masthead, footer and announcements.
    Frame {
        language_name { en: "English", de: "Deutsch" }
        title {
            en: "Cratedigger: what genre is this song?",
            de: "Cratedigger: Welches Genre ist das?",
        }
        skip { en: "Skip to the song", de: "Zum Stück springen" }
        tools { en: "Tools", de: "Werkzeuge" }
        about { en: "About the model", de: "Über das Modell" }
        settings { en: "Settings", de: "Einstellungen" }
        conference { en: "Conference", de: "Vortrag" }
        close { en: "Close", de: "Schließen" }
        promise {
            en: "Nothing is uploaded. Songs are decoded and analysed on this computer. The page’s security \
                 policy blocks connections to any server except the one it came from.",
            de: "Nichts wird hochgeladen. Stücke werden auf diesem Rechner decodiert und analysiert. Die \
                 Sicherheitsregeln der Seite blockieren Verbindungen zu allen Servern außer dem, von dem sie \
                 kommt.",
        }
        footer_cpu { en: "Computed on the CPU.", de: "Berechnet auf der CPU." }
        footer_both { en: "Computed on the CPU and with WebGPU.", de: "Berechnet auf der CPU und mit WebGPU." }
        footer_loading { en: "Loading the networks…", de: "Die Netze werden geladen …" }
        footer_none { en: "The networks could not be loaded.", de: "Die Netze konnten nicht geladen werden." }
        update_ready {
            en: "A new version of this page is ready.",
            de: "Eine neue Version dieser Seite ist verfügbar.",
        }
        update_now { en: "Use it now", de: "Jetzt verwenden" }
        announce_progress { en: "Analysing, {0} percent done", de: "Analyse läuft, {0} Prozent fertig" }
        announce_settled { en: "Settled: {0}", de: "Steht fest: {0}" }
        announce_result { en: "Result: {0}, {1}", de: "Ergebnis: {0}, {1}" }
    }
}

// The words of <genre-drop>, in all languages: those of Cratedigger's page.

const en = {
  label: "Genre of a song",
  heading: "Drop a song.",
  lead: "See its genre. Your computer computes it; no song leaves this page.",
  choose: "Choose a song",
  microphone: "Microphone",
  stop: "Stop",
  cancel: "Cancel",
  loading: "Loading the networks…",
  waiting: "Next in the queue.",
  decoding: "Decoding…",
  analysing: "Analysing…",
  listening: "Listening…",
  silent: "silent",
  recording: "Recording",
  failed: "No result",
  progress: "Progress",
  segments: "Genres in the song",
  fromTo: "{0} to {1}",
  verySure: "Very confident: {0}. Next: {2}, {3}.",
  quiteSure: "Fairly confident: {0}. Next: {2}, {3}.",
  leaning: "Probably {1}: {0}. It could also be {2}: {3}.",
  closeCall: "Almost equal: {0} {1}, {3} {2}.",
  guess: "Low confidence: {0} {1}, {3} {2}.",
  noneOfThese: "None of these",
  noneWords: "The confidence is too low to name a genre. The nearest is {0}, {1}.",
  noMusic: "No music",
  noMusicOf: "No music: {0}",
  noMusicWords: "This does not sound like music. Probability of no music: {0}.",
  sounds: { speech: "speech", "other-sounds": "other sounds" },
  genres: { hiphop: "hip-hop" },
  errors: { "no-file": "There was no file, only text or a link. Choose the song with the button." },
};

const de = {
  label: "Genre eines Stücks",
  heading: "Zieh ein Stück hierher.",
  lead: "Sieh, welches Genre es hat. Dein Rechner rechnet selbst; kein Stück verlässt diese Seite.",
  choose: "Stück wählen",
  microphone: "Mikrofon",
  stop: "Anhalten",
  cancel: "Abbrechen",
  loading: "Die Netze werden geladen …",
  waiting: "Als Nächstes an der Reihe.",
  decoding: "Wird decodiert …",
  analysing: "Wird analysiert …",
  listening: "Hört zu …",
  silent: "still",
  recording: "Aufnahme",
  failed: "Kein Ergebnis",
  progress: "Fortschritt",
  segments: "Genres im Stück",
  fromTo: "{0} bis {1}",
  verySure: "Sehr sicher: {0}. Danach: {2}, {3}.",
  quiteSure: "Ziemlich sicher: {0}. Danach: {2}, {3}.",
  leaning: "Wahrscheinlich {1}: {0}. Es könnte auch {2} sein: {3}.",
  closeCall: "Fast gleich: {0} {1}, {3} {2}.",
  guess: "Unsicher: {0} {1}, {3} {2}.",
  noneOfThese: "Keins davon",
  noneWords: "Zu unsicher, um ein Genre zu nennen. Am nächsten ist {0}, {1}.",
  noMusic: "Keine Musik",
  noMusicOf: "Keine Musik: {0}",
  noMusicWords: "Das klingt nicht nach Musik. Wahrscheinlichkeit, dass es keine Musik ist: {0}.",
  sounds: { speech: "Sprache", "other-sounds": "andere Geräusche" },
  genres: {
    blues: "Blues", classical: "Klassik", country: "Country", disco: "Disco", hiphop: "Hip-Hop", jazz: "Jazz",
    metal: "Metal", pop: "Pop", reggae: "Reggae", rock: "Rock",
  },
  // Errors without an entry are shown in English, with what to do.
  errors: {
    "no-file": "Es war keine Datei, nur Text oder ein Link. Wähl das Stück mit dem Knopf.",
    empty: "Diese Datei ist leer (0 Byte). Nimm eine andere Kopie.",
    unreadable: "Dein Browser konnte diese Datei nicht lesen. Wurde sie verschoben oder geändert? Wähl sie noch einmal.",
    "not-audio": "Diese Datei kann nicht gelesen werden. Prüfe die Verbindung, lade die Seite neu und versuch es noch einmal.",
    "other-file": "Das ist keine Tondatei. Nimm eine Ton- oder Videodatei.",
    unsupported: "Diese Datei kann nicht decodiert werden. Wandle sie in FLAC, WAV, MP3 oder M4A um.",
    protected: "Diese Datei ist kopiergeschützt; nur das Programm des Anbieters kann sie abspielen. Nimm eine Kopie ohne Schutz.",
    "no-sound": "In dieser Datei ist kein Ton. Kopiere sie oder lade sie noch einmal herunter.",
    damaged: "Diese Datei ist von Anfang an beschädigt. Nimm eine andere Kopie.",
    "too-short": "Dieses Stück ist zu kurz für eine Analyse. Nimm eins, das mindestens ein paar Sekunden lang ist.",
    silent: "Diese Datei enthält nur Stille. Nimm eine mit Musik.",
    "no-source": "Das Mikrofon konnte nicht benutzt werden. Erlaub es dieser Seite im Browser und versuch es noch einmal.",
    "no-output": "Dein Browser verarbeitet keinen Ton, vielleicht, weil es keine Audioausgabe gibt. Schließ Kopfhörer oder einen Lautsprecher an.",
    models: "Die Netze konnten nicht geladen werden. Prüfe die Verbindung und lade die Seite neu.",
    package: "Die Netze konnten nicht geladen werden. Prüfe die Verbindung und lade die Seite neu.",
  },
};

const LANGUAGES = { en, de };

/** The words for an element: in the language of its attribute, of an element around it, or of the browser. */
export function languageOf(element) {
  const wanted = element.closest("[lang]")?.lang || globalThis.navigator?.language || "en";
  return LANGUAGES[wanted.toLowerCase().split("-")[0]] ?? en;
}

/** Replaces `{0}`, `{1}` … by values. */
export const fill = (sentence, ...values) => sentence.replace(/\{(\d)\}/g, (_, place) => values[place] ?? "");

/** A fraction as percentage, never 0% or 100%, which would claim certainty. */
export function percent(fraction) {
  if (!Number.isFinite(fraction)) return "–";
  if (fraction >= 0.995) return ">99%";
  return fraction < 0.005 ? "<1%" : `${Math.round(fraction * 100)}%`;
}

/** Seconds as `m:ss`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** The name of a class in this language. */
export const genreName = (words, genre) => words.genres[genre] ?? genre;

/** A name at the beginning of a line. */
export const titled = (name) => name.charAt(0).toUpperCase() + name.slice(1);

/** The name of an answer. */
export function answerName(words, { genre, none, nonMusic }) {
  if (nonMusic?.rejected) {
    const kind = words.sounds[nonMusic.kind];
    return kind ? fill(words.noMusicOf, kind) : words.noMusic;
  }
  return none ? words.noneOfThese : genreName(words, genre);
}

/** How sure an answer is, in a sentence. */
export function sureness(words, { none, nonMusic, probabilities }) {
  if (nonMusic?.rejected) return fill(words.noMusicWords, percent(nonMusic.probability));
  const [[best, first], [other, second] = ["", 0]] = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  if (none) return fill(words.noneWords, genreName(words, best), percent(first));
  let sentence = words.guess;
  if (first - second < 0.15) sentence = words.closeCall;
  else if (first >= 0.85) sentence = words.verySure;
  else if (first >= 0.6) sentence = words.quiteSure;
  else if (first >= 0.4) sentence = words.leaning;
  return fill(sentence, percent(first), genreName(words, best), genreName(words, other), percent(second));
}

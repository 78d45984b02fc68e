import { Classifier } from "cratedigger";
import { useEffect, useRef, useState } from "react";

/** A classifier that lives as long as the component. */
function useClassifier() {
  const loading = useRef(null);
  useEffect(() => {
    const gone = new AbortController();
    loading.current = Classifier.load({ signal: gone.signal });
    // Whoever awaits it gets the error.
    loading.current.catch(() => {});
    return () => {
      gone.abort();
      loading.current.then((classifier) => classifier.close(), () => {});
    };
  }, []);
  return loading;
}

export function Genre() {
  const loading = useClassifier();
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState(null);

  async function classify(file) {
    setError(null);
    try {
      const classifier = await loading.current;
      const song = classifier.classify(file);
      for await (const { song: soFar } of song) if (soFar) setAnswer(soFar);
      setAnswer({ ...(await song), done: true });
    } catch (error) {
      setError(error);
    }
  }

  return (
    <>
      <label>
        A song: <input type="file" accept="audio/*,video/*" onChange={(event) => classify(event.target.files[0])} />
      </label>
      {error && <p role="alert">{error.message}</p>}
      {answer && <h1 aria-live="polite">{answer.none ? "None of these" : answer.genre}</h1>}
      {answer && !answer.done && <progress />}
      <ul>
        {Object.entries(answer?.probabilities ?? {}).map(([name, probability]) => (
          <li key={name}>
            {name} <meter value={probability} aria-label={name} />
          </li>
        ))}
      </ul>
    </>
  );
}

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Genre } from "./genre.jsx";

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Genre />
  </StrictMode>,
);

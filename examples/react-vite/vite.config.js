import react from "@vitejs/plugin-react";

export default {
  plugins: [react()],
  // The dev server must not rewrite the package, which finds its files relative to itself.
  optimizeDeps: { exclude: ["cratedigger"] },
};

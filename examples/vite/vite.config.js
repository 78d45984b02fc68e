export default {
  // The dev server must not rewrite the package, which finds its files relative to itself.
  optimizeDeps: { exclude: ["cratedigger"] },
};

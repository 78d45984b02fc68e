const CopyPlugin = require("copy-webpack-plugin");

module.exports = {
  mode: "production",
  entry: "./main.js",
  output: { filename: "main.js", assetModuleFilename: "[name]-[contenthash][ext]", clean: true },
  plugins: [new CopyPlugin({ patterns: ["public"] })],
  // The networks and workers are large; most are fetched only when they are needed.
  performance: { hints: false },
};

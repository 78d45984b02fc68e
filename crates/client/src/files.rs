//! Where a host keeps the files of the workers and the networks.

use std::collections::BTreeMap;

/// Prefix of the names of manifests and weights.
const MODELS: &str = "models/";
/// Name of the first manifest.
const MANIFEST: &str = "models/manifest.json";

/// Absolute URLs of the files that the client fetches: `worker-cpu.js`, `worker-cpu_bg.wasm`, the same of
/// `worker-gpu`, `worker-decode`, `worker-collection` and `worker-tags`, `tap.js`, and in `models/` the manifests and
/// weights.
///
/// Usually all of them are in one folder, under these names. A bundler may have moved and renamed some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    folder: String,
    moved: BTreeMap<String, String>,
    models: Option<String>,
}

impl Files {
    /// All files in one folder. `folder` is an absolute URL with a slash at its end; see
    /// [`page_folder`](crate::page_folder).
    pub fn in_folder(folder: impl Into<String>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }

    /// The same files, but those in `moved` at these absolute URLs, by name.
    #[must_use]
    pub fn with_moved(mut self, moved: BTreeMap<String, String>) -> Self {
        self.moved = moved;
        self
    }

    /// The same files, but with the networks of another manifest, which is at this absolute URL. Its weights
    /// are in the same folder.
    #[must_use]
    pub fn with_manifest(mut self, url: &str) -> Self {
        self.moved.retain(|name, _| !name.starts_with(MODELS));
        // A query belongs to the manifest only.
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.models = Some(format!("{folder}/"));
        self.moved.insert(MANIFEST.into(), url.into());
        self
    }

    /// The URL of a file.
    pub fn url(&self, name: &str) -> String {
        self.moved.get(name).cloned().unwrap_or_else(|| format!("{}{name}", self.folder))
    }

    /// The folder of the files that were not moved.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The folder of the manifests and weights.
    pub(crate) fn models_folder(&self) -> String {
        self.models.clone().unwrap_or_else(|| format!("{}{MODELS}", self.folder))
    }

    /// The manifests and weights that are not in that folder under their names, by their names in it.
    pub(crate) fn moved_models(&self) -> BTreeMap<String, String> {
        let models = self.moved.iter().filter_map(|(name, url)| Some((name.strip_prefix(MODELS)?, url)));
        models.map(|(name, url)| (name.to_owned(), url.clone())).collect()
    }
}

impl From<String> for Files {
    fn from(folder: String) -> Self {
        Self::in_folder(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved() -> Files {
        let names = [
            ("worker-cpu.js", "/w-1.js"),
            ("models/manifest.json", "/m-2.json"),
            ("models/a.bpk", "/a-3.bpk"),
        ];
        let moved = names.map(|(name, path)| (name.to_owned(), format!("https://a.example{path}")));
        Files::in_folder("https://a.example/x/").with_moved(moved.into())
    }

    #[test]
    fn a_moved_file_is_found_and_the_others_are_in_the_folder() {
        assert_eq!(moved().url("worker-cpu.js"), "https://a.example/w-1.js");
        assert_eq!(moved().url("tap.js"), "https://a.example/x/tap.js");
        assert_eq!(moved().models_folder(), "https://a.example/x/models/");
        let names: Vec<String> = moved().moved_models().into_keys().collect();
        assert_eq!(names, ["a.bpk", "manifest.json"]);
    }

    #[test]
    fn other_networks_are_in_the_folder_of_their_manifest() {
        let files = moved().with_manifest("https://b.example/mine/small.json?v=a/b");
        assert_eq!(files.models_folder(), "https://b.example/mine/");
        let manifest = "https://b.example/mine/small.json?v=a/b".to_owned();
        assert_eq!(files.moved_models(), [("manifest.json".to_owned(), manifest)].into());
        assert_eq!(files.url("worker-cpu.js"), "https://a.example/w-1.js");
    }
}

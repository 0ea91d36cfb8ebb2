//! Loaders: folders, memory, several in a row, and templates that change.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::fs;
use std::path::PathBuf;

use donjon_html::context;
use donjon_html::template::{
    Folder, LiveTemplates, Loader, LoadingError, TemplateOptions, Templates,
};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("donjon-loader-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("templates/parts")).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join("templates").join(name), text).unwrap();
    }

    fn folder(&self) -> Folder {
        Folder::new(self.0.join("templates"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_and_the_folders_inside_it() {
    let place = Place::new("folder");
    place.write("a.html", "{% include 'parts/b.html' %}");
    place.write("parts/b.html", "b");
    place.write(".hidden.html", "{% broken");
    let templates = Templates::load(&place.folder(), TemplateOptions::new()).unwrap();
    assert_eq!(templates.names().collect::<Vec<_>>(), ["a.html", "parts/b.html"]);
    assert_eq!(templates.render("a.html", &context! {}, &()).unwrap(), "b");
}

#[cfg(unix)]
#[test]
fn rule_1_links_out_of_the_folder_are_not_followed() {
    let place = Place::new("links");
    fs::write(place.0.join("secret.txt"), "secret").unwrap();
    std::os::unix::fs::symlink(place.0.join("secret.txt"), place.0.join("templates/a.txt"))
        .unwrap();
    place.write("b.html", "b");
    std::os::unix::fs::symlink("b.html", place.0.join("templates/c.html")).unwrap();
    let names: Vec<_> =
        place.folder().sources().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b.html", "c.html"]);
}

#[test]
fn rule_2_long_files_are_refused_and_so_is_no_folder() {
    let place = Place::new("long");
    place.write("a.html", &"x".repeat(1024 * 1024 + 1));
    assert!(place.folder().sources().unwrap_err().to_string().contains("1048576"));
    assert!(Folder::new(place.0.join("nothing")).sources().is_err());
}

#[test]
fn rule_3_the_first_counts_and_extends_the_next() {
    let first = [("a.html", "{% extends 'a.html' %}{% block x %}own{% endblock %}")];
    let second = [("a.html", "<{% block x %}{% endblock %}>"), ("b.html", "b")];
    let chain: Vec<Box<dyn Loader>> = vec![Box::new(first), Box::new(second)];
    let options = TemplateOptions::new().danger_escape_as_django("");
    let templates = Templates::load(&chain, options).unwrap();
    assert_eq!(templates.render("a.html", &context! {}, &()).unwrap(), "<own>");
    assert_eq!(templates.render("b.html", &context! {}, &()).unwrap(), "b");
}

#[test]
fn what_changes_is_loaded_again_and_what_breaks_is_told() {
    let place = Place::new("live");
    place.write("a.html", "one");
    let live = LiveTemplates::new(place.folder(), TemplateOptions::new()).unwrap();
    let shown = |live: &LiveTemplates| live.current().render("a.html", &context! {}, &()).unwrap();
    place.write("a.html", "second");
    assert_eq!(shown(&live), "one");
    live.refresh().unwrap();
    assert_eq!(shown(&live), "second");
    place.write("a.html", "{% if %}");
    let error = live.refresh().unwrap_err();
    assert!(matches!(&*error, LoadingError::Wrong(_)) && live.refresh().is_err());
    assert_eq!(shown(&live), "second");
    place.write("a.html", "the third");
    assert!(live.refresh().is_ok());
    assert_eq!(shown(&live), "the third");
}

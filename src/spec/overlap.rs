//! Finds files that cannot share a volume.

use super::file::RelativePath;

/// How a file collides with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    /// Both have the same path.
    Same,
    /// The file lies where the other path is a file, and so needs a directory there.
    Inside,
}

/// Finds colliding paths. Each result is the index of a path, the index of a path that it collides with, and how.
/// Results are sorted by the first index.
///
/// If a path collides with several, the results name the first equal path, and the outermost path that it lies in.
/// `leaves_room` returns whether the path with this index is a directory with room for the given rest of the other
/// path.
pub fn overlaps<'a>(
    paths: &[&'a RelativePath],
    leaves_room: impl Fn(usize, &'a str) -> bool,
) -> Vec<(usize, usize, Overlap)> {
    // Sorted so that a directory directly precedes everything in it. Without sorting, each path would be compared with
    // all others.
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by(|left, right| elements(paths[*left]).cmp(elements(paths[*right])).then(left.cmp(right)));
    let mut found = Vec::new();
    // The paths that may contain the next one, from the outermost on.
    let mut around: Vec<usize> = Vec::new();
    for index in order {
        let path = paths[index].as_str();
        while around.last().is_some_and(|outer| inside(path, paths[*outer].as_str()).is_none()) {
            around.pop();
        }
        let rest = |outer: usize| inside(path, paths[outer].as_str()).unwrap_or_default();
        let mut outermost = around.iter().copied().filter(|outer| !rest(*outer).is_empty());
        if let Some(outer) = outermost.find(|outer| !leaves_room(*outer, rest(*outer))) {
            found.push((index, outer, Overlap::Inside));
        }
        match around.last().copied().filter(|last| paths[*last] == paths[index]) {
            Some(first) => found.push((index, first, Overlap::Same)),
            None => around.push(index),
        }
    }
    found.sort_unstable();
    found
}

fn elements(path: &RelativePath) -> std::str::Split<'_, char> {
    path.as_str().split('/')
}

/// Returns the part of `path` behind `outer`: empty if both are equal, `None` if `path` is not in `outer`.
fn inside<'a>(path: &'a str, outer: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(outer)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<(usize, usize, Overlap)> {
        let paths: Vec<RelativePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        overlaps(&paths.iter().collect::<Vec<_>>(), |_, _| false)
    }

    #[test]
    fn files_collide_at_the_same_path_and_inside_of_another_file() {
        assert_eq!(found(&["a", "b", "a-b", "ab", "c/d", "c/e"]), []);
        assert_eq!(found(&["a", "b", "a"]), [(2, 0, Overlap::Same)]);
        assert_eq!(found(&["a/b/c", "x", "a"]), [(0, 2, Overlap::Inside)]);
        assert_eq!(found(&["a", "a-b", "a/b", "a0"]), [(2, 0, Overlap::Inside)]);
        assert_eq!(
            found(&["a", "a/b", "a/b/c", "a/b"]),
            [
                (1, 0, Overlap::Inside),
                (2, 0, Overlap::Inside),
                (3, 0, Overlap::Inside),
                (3, 1, Overlap::Same)
            ]
        );
    }

    #[test]
    fn a_directory_with_room_does_not_collide_but_its_parents_may() {
        let paths: Vec<RelativePath> = ["a/b/c", "a/b", "a"].map(|path| path.parse().unwrap()).into();
        let paths: Vec<&RelativePath> = paths.iter().collect();
        assert_eq!(overlaps(&paths, |outer, rest| outer == 1 && rest == "c" || outer == 2), []);
        assert_eq!(
            overlaps(&paths, |outer, _| outer == 1),
            [(0, 2, Overlap::Inside), (1, 2, Overlap::Inside)]
        );
    }

    #[test]
    fn a_thousand_paths_of_a_thousand_elements_are_compared_quickly() {
        let deep = |index: usize| format!("{}{index}", "a/".repeat(1_000)).parse().unwrap();
        let paths: Vec<RelativePath> = (0..1_000).map(deep).collect();
        assert_eq!(overlaps(&paths.iter().collect::<Vec<_>>(), |_, _| false), []);
    }
}

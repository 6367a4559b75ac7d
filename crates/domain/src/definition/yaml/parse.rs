//! The parser's events become the tree.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::super::suggest::shorten;
use super::size::{height, json_height, weight};
use super::{Entry, Node, NodeValue, Place, PlacedProblem, scalar};

/// The largest definition, in bytes: etcd takes no larger object, so a `Game` resource can't be larger either.
pub(in super::super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// The deepest nesting: three times that of the deepest reference game, and safe for recursive code.
const MAX_DEPTH: usize = 64;
/// How much aliases may add to the tree, in bytes (roughly): what stops a few lines from becoming gigabytes.
const MAX_ALIAS_BYTES: usize = 4 << 20;
/// More problems than this are not read by anyone.
const MAX_PROBLEMS: usize = 100;

/// The tree of the only document in `text`, or what is wrong with it; `what` is what the text is, such as `the definition`.
pub(in super::super) fn parse(text: &str, what: &str) -> Result<Node, Vec<PlacedProblem>> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "{what} is {} bytes long; the limit is {MAX_TEXT_BYTES}",
            text.len()
        );
        return Err(vec![PlacedProblem {
            place: Place { line: 1, column: 1 },
            path: String::new(),
            message,
        }]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    match builder.run(text) {
        Ok(Some(root)) if builder.problems.is_empty() => Ok(root),
        Ok(Some(_)) => Err(builder.problems),
        Ok(None) => {
            builder.report(Place { line: 1, column: 1 }, format!("{what} is empty"));
            Err(builder.problems)
        }
        // JSON has escapes (pairs of surrogates) and blanks (tabs at the start of a line) that YAML refuses.
        Err(Stop) => json(text).ok_or(builder.problems),
    }
}

fn json(text: &str) -> Option<Node> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    (json_height(&value) <= MAX_DEPTH).then(|| Node::from_json(&value))
}

/// Reading can't go on; the reason is among the problems.
struct Stop;

/// A list or map that is not complete yet.
struct Frame {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        names: HashSet<String>,
        pending: Option<(String, Place)>,
    },
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    alias_bytes: usize,
    root: Option<Node>,
    problems: Vec<PlacedProblem>,
}

impl Builder {
    fn run(&mut self, text: &str) -> Result<Option<Node>, Stop> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(found) => found,
                Err(error) => {
                    self.report(place(*error.marker()), explain(&error, text));
                    return Err(Stop);
                }
            };
            let at = place(span.start);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return self
                            .stop(at, "a second document begins here; a file is one document");
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(at, &text, style, anchor, tag.as_deref())?
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse_tag(at, tag.as_deref(), "seq")?;
                    self.open(at, anchor, Content::List(Vec::new()))?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse_tag(at, tag.as_deref(), "map")?;
                    let content = Content::Map {
                        entries: Vec::new(),
                        names: HashSet::new(),
                        pending: None,
                    };
                    self.open(at, anchor, content)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Alias(anchor) => self.alias(at, anchor)?,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
            }
        }
        Ok(self.root.take())
    }

    fn scalar(
        &mut self,
        at: Place,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Stop> {
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if !is_text {
            self.refuse_tag(at, tag, "")?;
        }
        let value = if is_text || style != ScalarStyle::Plain {
            NodeValue::Text(text.to_owned())
        } else {
            match scalar::resolve(text) {
                Ok(value) => value,
                Err(message) => {
                    self.report(at, message);
                    NodeValue::Text(text.to_owned())
                }
            }
        };
        if style == ScalarStyle::Plain && text == "<<" && self.expects_name() {
            return self.stop(at, "merge keys (`<<`) are not read: repeat the fields");
        }
        self.push(Node { place: at, value }, anchor)
    }

    /// True when the next scalar is a field's name.
    fn expects_name(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                content: Content::Map { pending: None, .. },
                ..
            })
        )
    }

    fn open(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), Stop> {
        if self.frames.len() >= MAX_DEPTH {
            return self.stop(place, &format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if self.expects_name() {
            return self.stop(
                place,
                "a field's name must be text, not a list or an object",
            );
        }
        self.frames.push(Frame {
            place,
            anchor,
            content,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let value = match frame.content {
            Content::List(items) => NodeValue::List(items),
            Content::Map { entries, .. } => NodeValue::Map(entries),
        };
        self.push(
            Node {
                place: frame.place,
                value,
            },
            frame.anchor,
        )
    }

    fn alias(&mut self, at: Place, anchor: usize) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.stop(at, "this alias stands inside the value that it names");
        };
        self.charge(at, &node)?;
        if self.frames.len() + height(&node) > MAX_DEPTH {
            return self.stop(at, &format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if self.expects_name() && matches!(node.value, NodeValue::List(_) | NodeValue::Map(_)) {
            return self.stop(at, "a field's name must be text, not a list or an object");
        }
        self.push(node, 0)
    }

    /// Adds a complete value to the innermost list or map, as a field's name or as a value.
    fn push(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.charge(node.place, &node)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.expects_name() {
            self.name(node);
            return Ok(());
        }
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map {
                entries,
                names,
                pending,
            }) => {
                if let Some((key, key_place)) = pending.take()
                    && names.insert(key.clone())
                {
                    entries.push(Entry {
                        key,
                        key_place,
                        node,
                    });
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, node: Node) {
        let key = match node.value {
            NodeValue::Text(text) => text,
            other => {
                let node = Node {
                    place: node.place,
                    value: other,
                };
                self.report(
                    node.place,
                    format!(
                        "a field's name must be text, got {}: put it in quotes",
                        node.describe()
                    ),
                );
                // A name that can't stand elsewhere, so that reading goes on.
                format!("\0{}", self.problems.len())
            }
        };
        let is_known = match self.frames.last().map(|frame| &frame.content) {
            Some(Content::Map { names, .. }) => names.contains(&key),
            _ => false,
        };
        if is_known {
            self.report(node.place, format!("`{key}` is given twice"));
        }
        if let Some(Frame {
            content: Content::Map { pending, .. },
            ..
        }) = self.frames.last_mut()
        {
            *pending = Some((key, node.place));
        }
    }

    /// Counts what an alias (or the copy that is kept for one) adds.
    fn charge(&mut self, at: Place, node: &Node) -> Result<(), Stop> {
        self.alias_bytes += weight(node);
        if self.alias_bytes > MAX_ALIAS_BYTES {
            return self.stop(
                at,
                &format!("anchors and aliases make more than {MAX_ALIAS_BYTES} bytes of it"),
            );
        }
        Ok(())
    }

    fn refuse_tag(&mut self, at: Place, tag: Option<&Tag>, allowed: &str) -> Result<(), Stop> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == allowed) => self.stop(
                at,
                &format!("the tag `{tag}` is not read: leave it out, or use quotes for text"),
            ),
            _ => Ok(()),
        }
    }

    fn stop<T>(&mut self, at: Place, message: &str) -> Result<T, Stop> {
        self.report(at, message.to_owned());
        Err(Stop)
    }

    fn report(&mut self, place: Place, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(PlacedProblem {
                place,
                path: self.path(),
                message,
            });
        }
    }

    /// Where reading is.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.content {
                Content::List(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Map {
                    pending: Some((key, _)),
                    ..
                } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&shorten(key));
                }
                Content::Map { pending: None, .. } => {}
            }
        }
        path
    }
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

/// The parser's words, and what to do about the two usual causes.
fn explain(error: &ScanError, text: &str) -> String {
    let line = text
        .lines()
        .nth(error.marker().line().saturating_sub(1))
        .unwrap_or_default();
    let indent: &str = line
        .split(|letter: char| !letter.is_whitespace())
        .next()
        .unwrap_or_default();
    let hint = if indent.contains('\t') {
        "; this line is indented with a tab: use spaces"
    } else if error.info().contains("mapping values") || line.matches(": ").count() > 1 {
        "; text that holds `: ` needs quotes"
    } else {
        ""
    };
    format!("not YAML: {}{hint}", error.info())
}

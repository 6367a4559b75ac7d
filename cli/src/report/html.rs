//! A report as one self-contained HTML page: no script, no other file, readable in light, dark and on paper.

use std::fmt::Write as _;

use super::chart;
use super::model::{Answer, Report, Section, is_maximum, maxima};
use crate::results::{ResultSet, text_of};

/// The most rows of a table on the page: beyond it a page is no longer read, and CSV has them all.
const MAX_ROWS: usize = 1000;

/// A table of more rows than this scrolls, by the style sheet's greatest height.
const SCROLLS: usize = 14;

/// The page's style: colours as variables, dark ones by the reader's preference.
const STYLE: &str = include_str!("style.css");

/// The page.
pub(crate) fn render(report: &Report) -> String {
    let title = escape(&report.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>{title}</h1><p class=\"made\">As of {}. The greatest number of each column is highlighted.</p></header>\n",
        escape(&report.made)
    );
    contents(&mut page, report);
    for (index, part) in report.sections.iter().enumerate() {
        section(&mut page, index, part);
    }
    page.push_str(
        "<footer>Made by gamepipe from the game's own tables.</footer>\n</body>\n</html>\n",
    );
    page
}

fn contents(page: &mut String, report: &Report) {
    if report.sections.len() < 2 {
        return;
    }
    page.push_str("<nav><ul>\n");
    for (index, part) in report.sections.iter().enumerate() {
        let _ = writeln!(
            page,
            "<li><a href=\"#s{index}\">{}</a></li>",
            escape(&part.title)
        );
    }
    page.push_str("</ul></nav>\n");
}

fn section(page: &mut String, index: usize, part: &Section) {
    let _ = writeln!(
        page,
        "<section id=\"s{index}\"><h2>{}</h2>",
        escape(&part.title)
    );
    if let Some(description) = &part.description {
        let _ = writeln!(page, "<p>{}</p>", escape(description));
    }
    for answer in &part.answers {
        article(page, answer);
    }
    page.push_str("</section>\n");
}

fn article(page: &mut String, answer: &Answer) {
    let _ = writeln!(page, "<article><h3>{}</h3>", escape(&answer.title));
    match &answer.result {
        Err(reason) => {
            let _ = writeln!(page, "<p class=\"none\">{}</p>", escape(&reason.sentence()));
        }
        Ok(result) if result.rows.is_empty() => {
            page.push_str("<p class=\"none\">No data yet.</p>\n")
        }
        Ok(result) => {
            let drawn = answer
                .chart
                .as_ref()
                .and_then(|spec| chart::draw(spec, result));
            let is_figure = drawn
                .as_ref()
                .is_some_and(|text| text.starts_with("<p class=\"figure\""));
            if let Some(text) = drawn {
                page.push_str(&text);
                page.push('\n');
            }
            // One number needs no table below it.
            if !(is_figure && result.columns.len() == 1 && result.rows.len() == 1) {
                table(page, result);
            }
        }
    }
    let _ = writeln!(
        page,
        "<details><summary>SQL of {}</summary><pre>{}</pre></details></article>",
        escape(&answer.name),
        escape(answer.sql.trim())
    );
}

fn table(page: &mut String, result: &ResultSet) {
    page.push_str("<div class=\"scroll\"><table><thead><tr>");
    for column in &result.columns {
        let class = if column.is_numeric() {
            " class=\"n\""
        } else {
            ""
        };
        let _ = write!(
            page,
            "<th{class} scope=\"col\">{}</th>",
            escape(&column.name)
        );
    }
    page.push_str("</tr></thead><tbody>\n");
    let maxima = maxima(result);
    for row in result.rows.iter().take(MAX_ROWS) {
        page.push_str("<tr>");
        for (index, value) in row.iter().enumerate() {
            let numeric = result
                .columns
                .get(index)
                .is_some_and(crate::results::ResultColumn::is_numeric);
            let class = match (numeric, is_maximum(&maxima, index, value)) {
                (true, true) => " class=\"n max\"",
                (true, false) => " class=\"n\"",
                _ => "",
            };
            match text_of(value) {
                Some(text) => {
                    let _ = write!(page, "<td{class}>{}</td>", escape(&text));
                }
                None => {
                    let _ = write!(page, "<td{class}><span class=\"null\">null</span></td>");
                }
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
    let more = result.rows.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        let _ = writeln!(
            page,
            "<p class=\"note\">{more} more rows are left out here; the CSV form has them.</p>"
        );
    }
    // A long table scrolls: say that there is more than can be seen.
    if more == 0 && result.rows.len() > SCROLLS {
        let _ = writeln!(page, "<p class=\"note\">{} rows</p>", result.rows.len());
    }
    if result.truncated {
        page.push_str(
            "<p class=\"note\">The answer was cut at the endpoint's limit of rows.</p>\n",
        );
    }
}

/// Text for HTML, attributes included.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML, and a player's name may hold any.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::report::model::tests::sample;

    #[test]
    fn the_page_of_a_fixed_report_is_as_reviewed() {
        insta::assert_snapshot!(render(&sample()));
    }

    #[test]
    fn nothing_from_data_becomes_markup_and_nothing_is_fetched() {
        let page = render(&sample());
        assert!(!page.contains("<script"), "hostile text must be escaped");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(
            !page.contains("src=") && !page.contains("url("),
            "the page must need nothing else"
        );
    }
}

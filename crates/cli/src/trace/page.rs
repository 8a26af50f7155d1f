//! The lives of transactions as one page that needs nothing else: no script, no style or picture from elsewhere.
//!
//! Pure. Each transaction is a drawing to its own scale of time, and below it the same as a table.

use std::fmt::Write as _;
use std::time::Duration;

use super::exchange::Exchange;
use super::lives::{End, Life, Lives};

const WIDTH: f64 = 1_000.0;
const ROW: f64 = 22.0;
const LABEL: f64 = 170.0;

const STYLE: &str = "\
body{font:14px system-ui,sans-serif;margin:2em auto;max-width:1100px;color:#222;background:#fff}\
h2{font-size:1.05em;margin:2em 0 .3em}h2 small{font-weight:normal;color:#666}\
svg{width:100%;height:auto;background:#f7f7f7;border:1px solid #ddd}\
text{font:12px system-ui,sans-serif;fill:#222}\
table{border-collapse:collapse;width:100%;font-size:12px}td,th{border-bottom:1px solid #ddd;padding:.2em .5em;\
text-align:left;vertical-align:top}td:first-child{text-align:right;white-space:nowrap}\
.committed{color:#137333}.aborted{color:#a56300}.overtaken,.refused{color:#b3261e}.open{color:#666}\
summary{cursor:pointer;color:#555;margin:.3em 0}";

/// The whole page.
pub(crate) fn page(lives: &Lives) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>Transactions seen by milena trace</title><style>{STYLE}</style></head><body>\n\
         <h1>Transactions</h1>\n"
    );
    let count = |end| lives.all().iter().filter(|life| life.end == end).count();
    let _ = writeln!(
        html,
        "<p>{} seen: {} committed, {} aborted, {} overtaken by a new start of their producer, {} open at the end.</p>",
        lives.all().len(),
        count(End::Committed),
        count(End::Aborted),
        count(End::Overtaken),
        count(End::Open)
    );
    if lives.more > 0 {
        let _ = writeln!(
            html,
            "<p>{} requests of further ones are left out.</p>",
            lives.more
        );
    }
    for life in lives.all() {
        draw(&mut html, life);
    }
    html.push_str("</body></html>\n");
    html
}

fn draw(html: &mut String, life: &Life) {
    let begin = life.exchanges.iter().map(|exchange| exchange.at).min();
    let begin = begin.unwrap_or_default();
    let ended = |exchange: &Exchange| exchange.at + exchange.took.unwrap_or_default();
    let end = life.exchanges.iter().map(ended).max().unwrap_or_default();
    let span = end.saturating_sub(begin).max(Duration::from_micros(1));
    let name = life.end.name();
    let _ = writeln!(
        html,
        "<section><h2>{} <small>transaction {}, <b class=\"{name}\">{name}</b>, {}</small></h2>",
        escaped(&life.transactional_id),
        life.number,
        millis(span)
    );
    #[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
    let height = ROW * life.exchanges.len() as f64 + 4.0;
    let _ = writeln!(
        html,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"transaction {} of {}\">",
        life.number,
        escaped(&life.transactional_id)
    );
    let mut y = 2.0;
    for exchange in &life.exchanges {
        bar(html, exchange, begin, span, y);
        y += ROW;
    }
    html.push_str("</svg>\n<details><summary>What was said</summary><table>\n");
    html.push_str(
        "<tr><th>ms</th><th>request</th><th>to</th><th>asked</th><th>answered</th></tr>\n",
    );
    for exchange in &life.exchanges {
        let class = if exchange.is_refused() {
            " class=\"refused\""
        } else {
            ""
        };
        let _ = writeln!(
            html,
            "<tr{class}><td>{}</td><td>{} v{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            millis(exchange.at),
            exchange.api(),
            exchange.api_version,
            escaped(&exchange.broker),
            escaped(&exchange.question()),
            escaped(&exchange.answer())
        );
    }
    html.push_str("</table>");
    if life.more_exchanges > 0 {
        let _ = write!(html, "<p>and {} more</p>", life.more_exchanges);
    }
    html.push_str("</details></section>\n");
}

/// One request: from where it was asked to where it was answered.
fn bar(html: &mut String, exchange: &Exchange, begin: Duration, span: Duration, y: f64) {
    let scale = (WIDTH - LABEL - 60.0) / span.as_secs_f64();
    let x = LABEL + exchange.at.saturating_sub(begin).as_secs_f64() * scale;
    let width = exchange.took.unwrap_or_default().as_secs_f64() * scale;
    let colour = match (exchange.is_done(), exchange.is_refused(), exchange.api_key) {
        (false, true, _) => "#b3261e",
        (false, false, _) => "#9aa0a6",
        (true, _, 26) => "#137333",
        (true, _, 0) => "#1a73e8",
        (true, _, _) => "#8430ce",
    };
    let middle = y + 14.0;
    let _ = writeln!(
        html,
        "<g><title>{}</title><text x=\"6\" y=\"{middle}\">{}</text>\
         <rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\" fill=\"{colour}\"/>",
        escaped(&exchange.to_string()),
        exchange.api(),
        y + 3.0,
        width.max(3.0),
    );
    if let Some((id, epoch)) = exchange.producer() {
        let place = x + width.max(3.0) + 4.0;
        let _ = write!(
            html,
            "<text x=\"{place:.1}\" y=\"{middle}\">{id}/{epoch}</text>"
        );
    }
    html.push_str("</g>\n");
}

fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

/// Names come from whoever speaks the protocol.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::lives::tests::exchange;
    use super::*;

    #[test]
    fn a_page_is_whole_and_needs_nothing_else() {
        let mut lives = Lives::default();
        for exchange in [
            exchange(0, "a", None, Some(0)),
            exchange(26, "a", Some(true), Some(51)),
            exchange(26, "a", Some(true), Some(0)),
            exchange(0, "b", None, None),
        ] {
            lives.note(&exchange);
        }
        let page = page(&lives);
        for tag in [
            "html", "head", "body", "section", "svg", "table", "details", "tr", "td", "g", "title",
        ] {
            let open = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<rect").count(), 4);
        assert!(page.contains("1 committed") && page.contains("CONCURRENT_TRANSACTIONS"));
        for outside in [
            "http:", "https:", "src=", "href=", "@import", "url(", "<script",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_hostile_name_stays_a_name() {
        let mut lives = Lives::default();
        lives.note(&exchange(
            0,
            "<script>alert('&\"')</script>\u{7}",
            None,
            Some(0),
        ));
        let page = page(&lives);
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)"));
    }
}

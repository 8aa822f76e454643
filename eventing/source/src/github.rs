//! GitHub's webhooks as CloudEvents, as the CloudEvents adapter for GitHub says
//! (`cloudevents/adapters/github.md` of the specification's repository).
//!
//! `id` is the delivery's, so that a redelivery is known. `data` is the body to the letter. An
//! event that the adapter does not name becomes `com.github.EVENT`, with `.ACTION` where it has
//! one, from its repository, organization or sender. The adapter's "current time" is when the
//! request came; so it is where the named time is missing or is none.

use bytes::Bytes;
use dormouse_contract::Event;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;

use crate::body::Body;
use crate::webhook::Unreadable;

const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

/// One row of the adapter's table; what is written as `/…` is a JSON pointer into the body.
struct Rule {
    /// What `X-GitHub-Event` holds.
    event: &'static str,
    /// What the type has after `com.github.`, when it is not the same word.
    word: &'static str,
    /// What the type has after that, where the body has it.
    after: &'static [&'static str],
    source: Origin,
    subject: &'static str,
    /// The first that is a time.
    time: &'static [&'static str],
}

/// Where an event comes from.
enum Origin {
    Repository,
    /// What is there in the body.
    At(&'static str),
    /// A commit comment's URL and the commit's id.
    Comment,
    /// The sender's URL without the name at its end.
    Senders,
    Github,
}

const ACTION: &[&str] = &["/action"];
const REF_TYPE: &[&str] = &["/ref_type"];
/// Where the adapter omits a subject or has no better time than now.
const NONE: &str = "/\u{0}";
const NOW: &[&str] = &[];

#[rustfmt::skip]
const RULES: [Rule; 44] = {
    use Origin::{At, Comment, Github, Repository, Senders};
    const ACCOUNT: Origin = At("/installation/account/url");
    const OWNER: Origin = At("/repository/owner/url");
    const ORGANIZATION: Origin = At("/organization/url");
    const PULL: Origin = At("/pull_request/url");
    const UPDATED: &[&str] = &["/repository/updated_at"];
    [
        rule("check_run", ACTION, Repository, "/check_run/id", &["/check_run/completed_at", "/check_run/started_at"]),
        rule("check_suite", ACTION, Repository, "/check_suite/id", &["/check_suite/updated_at"]),
        rule("commit_comment", ACTION, Comment, "/comment/id", &["/comment/updated_at"]),
        rule("content_reference", ACTION, Repository, "/content_reference/id", NOW),
        rule("create", REF_TYPE, Repository, "/ref", NOW),
        rule("delete", REF_TYPE, Repository, "/ref", NOW),
        rule("deploy_key", ACTION, Repository, "/key/id", &["/key/deleted_at", "/key/created_at"]),
        rule("deployment", &[], Repository, "/deployment/id", &["/deployment/updated_at"]),
        rule("deployment_status", &["/deployment_status/state"], At("/deployment/url"), "/deployment_status/url", &["/deployment_status/updated_at"]),
        rule("fork", &[], Repository, "/forkee/url", &["/forkee/created_at"]),
        rule("github_app_authorization", &[], At("/sender/url"), NONE, NOW),
        rule("gollum", &[], Repository, NONE, NOW),
        rule("installation", ACTION, ACCOUNT, "/installation/id", &["/installation/updated_at"]),
        named("installation_repositories", "installation_repository", ACTION, ACCOUNT, "/installation/id", &["/installation/updated_at"]),
        rule("issue_comment", ACTION, At("/issue/url"), "/comment/id", &["/comment/updated_at"]),
        named("issues", "issue", ACTION, Repository, "/issue/number", &["/issue/updated_at"]),
        rule("label", ACTION, Repository, "/label/name", NOW),
        rule("marketplace_purchase", ACTION, Senders, "/marketplace_purchase/account/login", &["/effective_date"]),
        rule("member", ACTION, Repository, "/member/login", NOW),
        rule("membership", &["/scope", "/action"], At("/team/url"), "/member/login", NOW),
        rule("meta", ACTION, Repository, "/hook_id", &["/hook/updated_at"]),
        rule("milestone", ACTION, Repository, "/milestone/number", &["/milestone/updated_at"]),
        rule("org_block", ACTION, ORGANIZATION, "/blocked_user/login", NOW),
        rule("organization", ACTION, ORGANIZATION, "/membership/user/login", NOW),
        rule("page_build", &[], Repository, "/build/url", &["/pusher/updated_at"]),
        rule("project", ACTION, Repository, "/project/id", &["/project/updated_at"]),
        rule("project_card", ACTION, Repository, "/project_card/id", &["/project_card/updated_at"]),
        rule("project_column", ACTION, Repository, "/project_column/id", &["/project_column/updated_at"]),
        rule("public", &[], OWNER, "/repository/name", UPDATED),
        rule("pull_request", ACTION, Repository, "/number", &["/pull_request/updated_at"]),
        rule("pull_request_review", ACTION, PULL, "/review/id", &["/review/submitted_at"]),
        rule("pull_request_review_comment", ACTION, PULL, "/comment/id", &["/pull_request/updated_at"]),
        rule("push", &[], Repository, "/ref", NOW),
        rule("registry_package", ACTION, Repository, "/registry_package/html_url", &["/registry_package/updated_at"]),
        rule("release", ACTION, Repository, "/release/id", &["/release/{action}_at", "/release/published_at", "/release/created_at"]),
        rule("repository", ACTION, OWNER, "/repository/name", UPDATED),
        rule("repository_import", &[], OWNER, "/repository/name", UPDATED),
        rule("repository_vulnerability_alert", ACTION, Repository, "/alert/id", NOW),
        rule("security_advisory", ACTION, Github, "/security_advisory/ghsa_id", &["/security_advisory/updated_at"]),
        rule("star", ACTION, Repository, NONE, &["/starred_at"]),
        rule("status", &["/state"], Repository, "/sha", &["/updated_at"]),
        rule("team", ACTION, Repository, "/team/id", &["/updated_at"]),
        rule("team_add", ACTION, Repository, "/team/id", NOW),
        rule("watch", ACTION, Repository, NONE, NOW),
    ]
};

/// What the adapter does not name.
const OTHER: Rule = rule("", ACTION, Origin::Repository, NONE, NOW);

const fn rule(
    event: &'static str,
    after: &'static [&'static str],
    source: Origin,
    subject: &'static str,
    time: &'static [&'static str],
) -> Rule {
    named(event, event, after, source, subject, time)
}

const fn named(
    event: &'static str,
    word: &'static str,
    after: &'static [&'static str],
    source: Origin,
    subject: &'static str,
    time: &'static [&'static str],
) -> Rule {
    Rule {
        event,
        word,
        after,
        source,
        subject,
        time,
    }
}

/// Reads a delivery. `now` is the time of those that do not say their own.
///
/// # Errors
/// [`Unreadable`]: it is no delivery of GitHub, or not as JSON.
pub fn read(headers: &HeaderMap, bytes: &Bytes, now: Timestamp) -> Result<Event, Unreadable> {
    let event = event_name(headers)?;
    let id = header(headers, DELIVERY)?;
    if is_form(headers) {
        return Err(Unreadable::Form);
    }
    let body = Body::parse(bytes)?;
    let rule = RULES.iter().find(|rule| rule.event == event);
    let word = rule.map_or(event, |rule| rule.word);
    let rule = rule.unwrap_or(&OTHER);

    let after = rule.after.iter().filter_map(|pointer| body.text(pointer));
    let words = ["com.github".to_owned(), word.to_owned()];
    let ty = words.into_iter().chain(after).collect::<Vec<_>>().join(".");
    let mut told = Event::new(id, rule.source.find(&body), ty);
    told.subject = body.text(rule.subject).filter(|text| !text.is_empty());
    told.time = Some(rule.time(&body, now));
    told = told.with_json(bytes.clone());
    told.validate()?;
    Ok(told)
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Unreadable> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty())
        .ok_or(Unreadable::NotFromGithub(name))
}

/// Events are named in lower-case words with `_` between them.
fn event_name(headers: &HeaderMap) -> Result<&str, Unreadable> {
    let event = header(headers, EVENT)?;
    let is_word = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
    match event.bytes().all(is_word) {
        true => Ok(event),
        false => Err(Unreadable::NotFromGithub(EVENT)),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next());
    essence.is_some_and(|it| {
        it.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

impl Rule {
    fn time(&self, body: &Body<'_>, now: Timestamp) -> String {
        let action = body.text("/action").unwrap_or_default();
        let mut times = self.time.iter().filter_map(|pointer| {
            let time = body.text(&pointer.replace("{action}", &action))?;
            time.parse::<Timestamp>().ok().map(|_| time)
        });
        times.next().unwrap_or_else(|| now.to_string())
    }
}

impl Origin {
    fn find(&self, body: &Body<'_>) -> String {
        let own = match self {
            Self::Repository => body.text("/repository/url"),
            Self::At(pointer) => body.text(pointer),
            Self::Comment => body
                .text("/comment/url")
                .zip(body.text("/comment/commit_id"))
                .map(|(url, commit)| format!("{url}/{commit}")),
            Self::Senders => body
                .text("/sender/url")
                .and_then(|url| Some(url.rsplit_once('/')?.0.to_owned())),
            Self::Github => None,
        };
        let others = ["/repository/url", "/organization/url", "/sender/url"];
        let mut others = others.iter().filter_map(|pointer| match self {
            Self::Github => None,
            Self::Repository | Self::At(_) | Self::Comment | Self::Senders => body.text(pointer),
        });
        own.or_else(|| others.next())
            .unwrap_or_else(|| "github.com".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(event: &str, body: &Value) -> Event {
        let mut headers = HeaderMap::new();
        headers.insert(EVENT, event.parse().unwrap());
        headers.insert(
            DELIVERY,
            "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap(),
        );
        let bytes = Bytes::from(body.to_string());
        read(&headers, &bytes, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn repository() -> Value {
        json!({"url": "https://api.github.com/repos/a/b", "name": "b",
               "owner": {"url": "https://api.github.com/users/a"}, "updated_at": "2026-01-01T00:00:00Z"})
    }

    /// Event, body, and what comes out: type, source, subject, time.
    type Case = (&'static str, Value, [&'static str; 4]);

    #[test]
    fn deliveries_become_what_the_adapter_says() {
        let now = "1970-01-01T00:00:00Z";
        let repo = "https://api.github.com/repos/a/b";
        let cases: [Case; 13] = [
            (
                "push",
                json!({"ref": "refs/heads/main"}),
                ["push", repo, "refs/heads/main", now],
            ),
            (
                "pull_request",
                json!({"action": "opened", "number": 7, "pull_request": {"updated_at": "2026-05-05T05:05:05Z"}}),
                ["pull_request.opened", repo, "7", "2026-05-05T05:05:05Z"],
            ),
            (
                "issues",
                json!({"action": "closed", "issue": {"number": 3, "updated_at": "2026-05-05T05:05:05+02:00"}}),
                ["issue.closed", repo, "3", "2026-05-05T05:05:05+02:00"],
            ),
            (
                "check_run",
                json!({"action": "created", "check_run": {"id": 4, "completed_at": null, "started_at": "2026-05-05T05:05:05Z"}}),
                ["check_run.created", repo, "4", "2026-05-05T05:05:05Z"],
            ),
            (
                "commit_comment",
                json!({"action": "created", "comment": {"id": 1, "url": "https://c", "commit_id": "abc"}}),
                ["commit_comment.created", "https://c/abc", "1", now],
            ),
            (
                "create",
                json!({"ref_type": "tag", "ref": "v1"}),
                ["create.tag", repo, "v1", now],
            ),
            (
                "release",
                json!({"action": "published", "release": {"id": 9, "published_at": "2026-05-05T05:05:05Z"}}),
                ["release.published", repo, "9", "2026-05-05T05:05:05Z"],
            ),
            (
                "membership",
                json!({"action": "added", "scope": "team", "team": {"url": "https://t"}, "member": {"login": "m"}}),
                ["membership.team.added", "https://t", "m", now],
            ),
            (
                "marketplace_purchase",
                json!({"action": "purchased", "sender": {"url": "https://api.github.com/users/u"},
                       "effective_date": "2026-05-05T00:00:00+00:00", "marketplace_purchase": {"account": {"login": "l"}}}),
                [
                    "marketplace_purchase.purchased",
                    "https://api.github.com/users",
                    "l",
                    "2026-05-05T00:00:00+00:00",
                ],
            ),
            (
                "security_advisory",
                json!({"action": "published", "security_advisory": {"ghsa_id": "GHSA-1"}}),
                ["security_advisory.published", "github.com", "GHSA-1", now],
            ),
            (
                "installation",
                json!({"action": "created", "installation": {"id": 2, "account": {"url": "https://a"}, "updated_at": 1_500_000_000}}),
                ["installation.created", "https://a", "2", now],
            ),
            (
                "public",
                json!({}),
                [
                    "public",
                    "https://api.github.com/users/a",
                    "b",
                    "2026-01-01T00:00:00Z",
                ],
            ),
            (
                "watch",
                json!({"action": "started"}),
                ["watch.started", repo, "", now],
            ),
        ];
        for (event, mut body, expected) in cases {
            body["repository"] = repository();
            let told = told(event, &body);
            let ty = told.ty.strip_prefix("com.github.").unwrap();
            let subject = told.subject.as_deref().unwrap_or_default();
            let time = told.time.as_deref().unwrap();
            assert_eq!([ty, &told.source, subject, time], expected, "{event}");
            assert_eq!(told.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
            assert_eq!(told.data.unwrap(), body.to_string());
        }
    }

    #[test]
    fn an_event_that_the_adapter_does_not_know_keeps_its_name() {
        let ping = told("ping", &json!({"organization": {"url": "https://o"}}));
        assert_eq!(
            (ping.ty.as_str(), ping.source.as_str()),
            ("com.github.ping", "https://o")
        );
        let run = told(
            "workflow_run",
            &json!({"action": "completed", "sender": {"url": "https://s"}}),
        );
        assert_eq!(
            (run.ty.as_str(), run.source.as_str()),
            ("com.github.workflow_run.completed", "https://s")
        );
        assert_eq!(told("ping", &json!({})).source, "github.com");
    }

    #[test]
    fn the_table_has_each_event_once() {
        for pair in RULES.windows(2) {
            assert!(
                pair[0].event < pair[1].event,
                "{} {}",
                pair[0].event,
                pair[1].event
            );
        }
    }

    #[test]
    fn what_is_no_delivery_is_said() {
        let body = Bytes::from_static(b"{}");
        let mut headers = HeaderMap::new();
        let say = |headers: &HeaderMap, body: &Bytes| {
            read(headers, body, Timestamp::UNIX_EPOCH)
                .unwrap_err()
                .to_string()
        };
        assert!(say(&headers, &body).contains(EVENT));
        headers.insert(EVENT, "push".parse().unwrap());
        assert!(say(&headers, &body).contains(DELIVERY));
        headers.insert(DELIVERY, "1".parse().unwrap());
        assert!(say(&headers, &Bytes::from_static(b"[")).contains("JSON"));
        headers.insert(
            CONTENT_TYPE,
            "application/x-www-form-urlencoded".parse().unwrap(),
        );
        assert!(say(&headers, &body).contains("application/json"));
        headers.insert(EVENT, "Push!".parse().unwrap());
        assert!(say(&headers, &body).contains(EVENT));
    }
}

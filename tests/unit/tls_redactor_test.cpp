// The redactor: streams cut anew, arguments, and what a level lets through.
#include <algorithm>
#include <iterator>
#include <random>

#include "event/json.h"
#include "event/redact.h"
#include "support/builders.h"
#include "support/catch.h"
#include "support/rounds.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kTalker = a_process(200, 9'000, "curl");
constexpr std::string_view kPat = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

struct Desk {
  Redactor redactor;
  std::vector<Event> given;
  std::uint64_t offset = 0;

  Redactor::Give give() {
    return [this](Event event) { given.push_back(std::move(event)); };
  }
  static Event event_of(EventBody body) {
    Event event;
    event.boot_ns = 1'000;
    event.process = kTalker;
    event.body = std::move(body);
    return event;
  }
  // The first bytes of a connection's sends.
  void begin(std::uint32_t connection, std::string_view data, std::uint64_t boot_ns) {
    TlsBody body;
    body.connection = connection;
    body.from_start = true;
    body.length = body.call_length = data.size();
    body.data = data;
    Event event = event_of(std::move(body));
    event.boot_ns = boot_ns;
    redactor.take(std::move(event), give());
  }
  // The next bytes of a connection's sends.
  void say(std::string_view data, bool is_full = false) {
    TlsBody body;
    body.connection = 1;
    body.from_start = true;
    body.is_full = is_full;
    body.offset = offset;
    body.length = body.call_length = data.size();
    body.data = data;
    offset += data.size();
    redactor.take(event_of(std::move(body)), give());
  }
  std::string told() const {
    std::string all;
    for (const Event& event : given)
      if (const auto* body = std::get_if<TlsBody>(&event.body)) all += body->data;
    return all;
  }
  // Events lie end to end, from the stream's first byte on.
  void check_seamless() const {
    std::uint64_t next = 0;
    for (const Event& event : given) {
      const auto* body = std::get_if<TlsBody>(&event.body);
      if (body == nullptr) continue;
      CHECK(body->offset == next);
      next = body->offset + body->length;
      for (const TlsRedaction& one : body->redactions) {
        CHECK(one.offset >= body->offset);
        CHECK(one.offset + one.length <= next);
      }
    }
  }
};

}  // namespace

TEST_CASE("redact: a key in a TLS stream is replaced, wherever calls cut it, and events stay end to end") {
  const std::string text = "token " + std::string(kPat) + " end of it";
  const std::string shown = "token ghp_" + std::string(kPat.size() - 4, '*') + " end of it";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Desk desk;
    desk.say(text.substr(0, cut));
    desk.say(text.substr(cut));
    desk.redactor.end(kTalker.id, desk.give());
    CHECK(desk.told() == shown);
    desk.check_seamless();
    for (const Event& event : desk.given) CHECK(to_json(event).find(kPat.substr(10)) == std::string::npos);
  }
}

TEST_CASE("redact: at level full bytes pass as they are") {
  Desk desk;
  desk.say(kPat, true);
  CHECK(desk.told() == kPat);
}

TEST_CASE("redact: what is not told yet can be asked for, and is told without secrets when nothing comes any more") {
  Desk desk;
  desk.say("a ghp_abc");
  CHECK(desk.redactor.undecided().bytes == 3);
  CHECK(desk.redactor.undecided().first_boot_ns == 1'000);
  CHECK(desk.redactor.undecided().last_boot_ns == 1'000);
  desk.redactor.end_all(desk.give());
  CHECK(desk.told() == "a ghp_***");
  desk.check_seamless();
  CHECK(desk.redactor.undecided().bytes == 0);
  CHECK(desk.redactor.undecided().first_boot_ns == 0);
}

TEST_CASE("redact: undecided bytes are told with the next, at the connection's end, or after a while") {
  Desk desk;
  desk.say("a ghp_abc");
  CHECK(desk.told() == "a ghp_");
  REQUIRE(desk.redactor.next_deadline().has_value());
  desk.redactor.on_time(*desk.redactor.next_deadline() - 1, desk.give());
  CHECK(desk.told() == "a ghp_");
  desk.redactor.on_time(*desk.redactor.next_deadline(), desk.give());
  CHECK(desk.told() == "a ghp_***");
  CHECK_FALSE(desk.redactor.next_deadline().has_value());
  desk.say("d ghp_x");
  desk.redactor.take(Desk::event_of(TlsClosedBody{1}), desk.give());
  CHECK(desk.told() == "a ghp_**** ghp_*");
  CHECK(std::holds_alternative<TlsClosedBody>(desk.given.back().body));
  desk.check_seamless();
}

TEST_CASE("redact: what waits longest is told first, each when its own time is over") {
  Desk desk;
  for (const std::uint32_t connection : {3u, 1u, 2u}) desk.begin(connection, "a ghp_a", 1'000 * (4 - connection));
  CHECK(desk.redactor.undecided().bytes == 3);
  CHECK(desk.redactor.undecided().first_boot_ns == 1'000);
  CHECK(desk.redactor.undecided().last_boot_ns == 3'000);
  for (const std::uint64_t waits : {2, 1, 0}) {
    desk.given.clear();
    desk.redactor.on_time(*desk.redactor.next_deadline(), desk.give());
    REQUIRE(desk.given.size() == 1);
    CHECK(desk.told() == "*");
    CHECK(desk.redactor.undecided().bytes == waits);
  }
  CHECK_FALSE(desk.redactor.next_deadline().has_value());
}

TEST_CASE("redact: of more streams than there is room for the one least recently used is told to its end") {
  Desk desk;
  desk.redactor = Redactor(2);
  desk.begin(1, "a ghp_x", 1'000);
  desk.begin(2, "b ghp_x", 1'000);
  desk.offset = 7;
  desk.say("y");
  CHECK(desk.told() == "a ghp_b ghp_");
  desk.begin(3, "c", 1'000);
  CHECK(desk.told() == "a ghp_b ghp_*c");
  CHECK(desk.redactor.undecided().bytes == 2);
  desk.say("z");
  CHECK(desk.redactor.undecided().bytes == 3);
  TlsBody second;
  second.connection = 2;
  second.from_start = true;
  second.offset = 7;
  second.data = "rest-of-it\n# clear";
  second.length = second.data.size();
  desk.redactor.take(Desk::event_of(second), desk.give());
  CHECK(desk.told() == "a ghp_b ghp_*c***********# clear");
}

TEST_CASE("redact: a stream that was not seen from its start, or misses bytes, begins inside a secret") {
  Desk desk;
  desk.offset = 500;
  desk.say("rest-of-a-secret\n# clear");
  CHECK(desk.told() == "*****************# clear");
  desk.offset += 50;
  desk.say("lost\n# seen");
  CHECK(desk.told() == "*****************# clear*****# seen");
  CHECK(std::get<TlsBody>(desk.given.back().body).offset == 574);
}

TEST_CASE(
    "redact: a fork's copy of a connection begins inside a secret where its parent was, though nothing was missed") {
  Desk desk;
  desk.offset = 1'000;  // and `from_start`
  desk.say("MIIB\nMIIC\n-----END");
  CHECK(desk.told() == "**********-----END");
}

TEST_CASE("redact: what a call brought not whole is counted at its place") {
  Desk desk;
  TlsBody body;
  body.connection = 1;
  body.from_start = true;
  body.length = body.call_length = 100;
  body.withheld = Withheld::limit;
  body.data = "key ghp_abc";
  desk.redactor.take(Desk::event_of(body), desk.give());
  REQUIRE(desk.given.size() == 1);
  const auto& told = std::get<TlsBody>(desk.given[0].body);
  CHECK(told.data == "key ghp_***");
  CHECK(told.length == 100);
  CHECK(told.withheld == Withheld::limit);
}

TEST_CASE("redact: where bytes are coded their text is told, by events that count the stream's own bytes") {
  Desk desk;
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  desk.say(head + "9\r\nkey ghp_a\r\n");
  REQUIRE(desk.given.size() == 2);
  const auto& chunk = std::get<TlsBody>(desk.given[1].body);
  CHECK(chunk.undone == kChunked);
  CHECK(chunk.length == 14);
  CHECK(chunk.data == "key ghp_");
  desk.redactor.on_time(*desk.redactor.next_deadline(), desk.give());
  REQUIRE(desk.given.size() == 3);
  const auto& waited = std::get<TlsBody>(desk.given[2].body);
  CHECK(waited.length == 0);
  CHECK(waited.data == "*");
  CHECK(waited.redactions == std::vector<TlsRedaction>{{"github", 0, 1}});
  desk.say("0\r\n\r\n");
  CHECK(std::get<TlsBody>(desk.given[3].body).length == 5);
  std::uint64_t next = 0;
  for (const Event& event : desk.given) {
    CHECK(std::get<TlsBody>(event.body).offset == next);
    next += std::get<TlsBody>(event.body).length;
  }
  CHECK(next == desk.offset);
}

TEST_CASE("redact: bytes of a call that never came are counted by an event of their own where others are coded") {
  Desk desk;
  desk.say("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n");
  TlsBody body;
  body.connection = 1;
  body.from_start = true;
  body.offset = desk.offset;
  body.length = body.call_length = 70;
  body.withheld = Withheld::limit;
  body.data = "some text";
  desk.redactor.take(Desk::event_of(body), desk.give());
  const auto& text = std::get<TlsBody>(desk.given.at(desk.given.size() - 2).body);
  const auto& missing = std::get<TlsBody>(desk.given.back().body);
  CHECK(text.data == "some text");
  CHECK(text.withheld == Withheld::nothing);
  CHECK(missing.offset == desk.offset + 9);
  CHECK(missing.length == 61);
  CHECK(missing.withheld == Withheld::limit);
  CHECK(missing.undone == 0);
}

TEST_CASE("redact: directions and connections do not touch each other") {
  Desk desk;
  desk.say("key ghp_");
  TlsBody other;
  other.connection = 2;
  other.from_start = true;
  other.data = kPat.substr(4);
  other.length = other.data.size();
  desk.redactor.take(Desk::event_of(other), desk.give());
  CHECK(std::get<TlsBody>(desk.given.back().body).data == kPat.substr(4));
}

TEST_CASE(
    "redact: the value of a secret's name is replaced as the shell puts its word together, whatever quotes it is in") {
  const auto redacted = [](std::vector<std::string> argv) {
    redact_arguments(argv);
    return argv.back();
  };
  for (const std::string word :
       {"'ab'\"'\"'hunter2'", "'ab'\\''hunter2'", "\"ab\"hunter2", "ab\\ hunter2", "ab\\&hunter2", "$'hunter2'"}) {
    const std::string shown = redacted({"bash", "-c", "DB_PASSWORD=" + word + " run; curl http://x | sh"});
    INFO(shown);
    CHECK(shown.find("hunter2") == std::string::npos);
    CHECK(shown.ends_with(" run; curl http://x | sh"));
  }
  for (const std::string value : {"a'hunter2", "a&hunter2", "a b hunter2", "a\\,hunter2"}) {
    CHECK(redacted({"env", "DB_PASSWORD=" + value}) == "DB_PASSWORD=" + std::string(value.size(), '*'));
    CHECK(redacted({"helm", "--set", "db.password=" + value}) == "db.password=" + std::string(value.size(), '*'));
  }
  CHECK(redacted({"sh", "-c", "DB_PASSWORD=x; curl http://x | sh"}) == "DB_PASSWORD=*; curl http://x | sh");
  CHECK(redacted({"env", "PATH=/bin"}) == "PATH=/bin");
  CHECK(redacted({"env", "PASSWORD="}) == "PASSWORD=");
}

TEST_CASE("redact: secrets in a program's arguments are replaced, its commands are not") {
  const auto redacted = [](std::vector<std::string> argv) {
    redact_arguments(argv);
    return argv;
  };
  using Words = std::vector<std::string>;
  CHECK(redacted({"curl", "-H", "Authorization: Bearer a b; c", "https://u:pw@h/"}) ==
        Words{"curl", "-H", "Authorization: *************", "https://u:**@h/"});
  CHECK(redacted({"wget", "--header=Cookie: a=1; b=2"}) == Words{"wget", "--header=Cookie: ********"});
  CHECK(redacted({"sh", "-c", "curl https://x | sh # cookie: a | b"}) ==
        Words{"sh", "-c", "curl https://x | sh # cookie: * | b"});
  CHECK(redacted({"odd", "\xFF\xFE", "-H", "\x01"}) == Words{"odd", "\xFF\xFE", "-H", "\x01"});
  CHECK(redacted({"tool", std::string(kPat)})[1] == "ghp_" + std::string(kPat.size() - 4, '*'));
}

TEST_CASE("redact: what an option asks for is replaced where it asks for a secret") {
  using Words = std::vector<std::string>;
  const auto redacted = [](Words argv) {
    redact_arguments(argv);
    return argv;
  };
  for (const std::string option :
       {"--password", "--passwd", "--token", "--api-key", "--api_key", "--access_token", "--authorization", "--apikey",
        "--secret", "--access-token", "--auth-token", "--bearer", "--oauth2-bearer", "--Password", "--admin-password",
        "--Admin_API_Key", "--passphrase", "--pass", "-storepass"}) {
    CHECK(redacted({"tool", option, "a b;c", "d"}) == Words{"tool", option, "*****", "d"});
    CHECK(redacted({"tool", option + "=a b;c", "d"}) == Words{"tool", option + "=*****", "d"});
    CHECK(redacted({"tool", option, "--verbose", "-x", "d"}) == Words{"tool", option, "--verbose", "-x", "d"});
    CHECK(redacted({"tool", option}) == Words{"tool", option});
  }
  CHECK(redacted({"tool", "--password", "-Sx9"}) == Words{"tool", "--password", "****"});
  CHECK(redacted({"curl", "-u", "me:p:w", "x"}) == Words{"curl", "-u", "me:***", "x"});
  CHECK(redacted({"/usr/bin/curl", "-sSume:pw"}) == Words{"/usr/bin/curl", "-sSume:**"});
  CHECK(redacted({"curl", "-sSu", "me:pw"}) == Words{"curl", "-sSu", "me:**"});
  CHECK(redacted({"sudo", "curl", "--proxy-user", "me:pw", "-U", "me:pw", "--user=me:pw"}) ==
        Words{"sudo", "curl", "--proxy-user", "me:**", "-U", "me:**", "--user=me:**"});
  CHECK(redacted({"wget", "--user", "me:pw", "-U", "Agent: x", "--http-password=ab"}) ==
        Words{"wget", "--user", "me:**", "-U", "Agent: x", "--http-password=**"});
  CHECK(redacted({"curl", "-u", "me", "-b", "jar.txt", "-o", "u:x", "-ou:x", "-bjar"}) ==
        Words{"curl", "-u", "me", "-b", "jar.txt", "-o", "u:x", "-ou:x", "-bjar"});
  CHECK(redacted({"curl", "-b", "a=b=c; d=e", "-ba=b", "--cookie", "a=", "--cookie=a=b"}) ==
        Words{"curl", "-b", "a=***; d=*", "-ba=*", "--cookie", "a=", "--cookie=a=*"});
  for (const std::string option : {"-F", "-sF", "--form", "--form-string", "--data-urlencode"})
    CHECK(redacted({"curl", option, "password=a b; c", "x"}) == Words{"curl", option, "password=******", "x"});
  CHECK(redacted({"curl", "-Fpassword=a b", "--form=password=a b", "-F", "file=@a b"}) ==
        Words{"curl", "-Fpassword=***", "--form=password=***", "-F", "file=@a b"});
  for (const std::string option : {"-F", "--form", "--data-urlencode"}) {
    CHECK(redacted({"curl", option, "job=curl -u me:pw h"}) == Words{"curl", option, "job=curl -u me:** h"});
    CHECK(redacted({"curl", option, "cmd=tool --password ab"}) == Words{"curl", option, "cmd=tool --password **"});
  }
  CHECK(redacted({"curl", "-Fcmd=tool --password ab"}) == Words{"curl", "-Fcmd=tool --password **"});
  CHECK(redacted({"curl", "--form=cmd=curl -u me:pw h"}) == Words{"curl", "--form=cmd=curl -u me:** h"});
  CHECK(redacted({"curl", "-Zu", "me:pw", "-Zsume:pw"}) == Words{"curl", "-Zu", "me:**", "-Zsume:**"});
  CHECK(redacted({"curl", "-HCookie: a=1; b=2", "-u", std::string(kPat) + ":"}) ==
        Words{"curl", "-HCookie: ********", "-u", "ghp_" + std::string(kPat.size() - 4, '*') + ":"});
  // What may be run, and what is no secret, stays to be seen.
  for (const std::string option : {"--ask-password", "--no-password", "--tokens", "--bypass", "-token"})
    CHECK(redacted({"tool", option, "a b"}) == Words{"tool", option, "a b"});
  CHECK(redacted({"sh", "-c", "$1", "--token", "curl x | sh"}) == Words{"sh", "-c", "$1", "--token", "curl x | sh"});
  CHECK(redacted({"tool", "bash", "--token", "ab"}) == Words{"tool", "bash", "--token", "**"});
  CHECK(redacted({"docker", "--user", "1:2", "--secret", "id=a,src=/b"}) ==
        Words{"docker", "--user", "1:2", "--secret", "id=a,src=/b"});
}

TEST_CASE("redact: so it is in the commands of a script, whatever its quotes") {
  const auto redacted = [](const std::string& script) {
    std::vector<std::string> argv = {"bash", "-c", script};
    redact_arguments(argv);
    return argv[2];
  };
  CHECK(redacted("cd /a && curl -sSu me:pw https://h/ | sh") == "cd /a && curl -sSu me:** https://h/ | sh");
  CHECK(redacted("curl\t-u 'me:p w'>x; y") == "curl\t-u 'me:***'>x; y");
  CHECK(redacted("curl -u \"me:p\\\"w\\d\" x") == "curl -u \"me:*\\****\" x");
  CHECK(redacted("curl \\\n  -u me:pw \\\n  x") == "curl \\\n  -u me:** \\\n  x");
  CHECK(redacted("curl x \\\n-u me:pw") == "curl x \\\n-u me:**");
  CHECK(redacted("for i in 1 2; do (tool --token ab); done") == "for i in 1 2; do (tool --token **); done");
  CHECK(redacted("x=$(curl -u me:pw h)") == "x=$(curl -u me:** h)");
  CHECK(redacted("x=\"$(curl -u me:pw h)\"") == "x=\"$(curl -u me:** h)\"");
  CHECK(redacted("ssh h \"bash -c 'curl -u me:pw h'\"") == "ssh h \"bash -c 'curl -u me:** h'\"");
  // A row of commands is none of the other's.
  CHECK(redacted("curl x; sort -u a:b") == "curl x; sort -u a:b");
  CHECK(redacted("curl -u; a:b") == "curl -u; a:b");
  // What the shell runs stays to be seen.
  CHECK(redacted("curl -u \"me:$(curl x|sh)\" h") == "curl -u \"me:$(curl x|sh)\" h");
  CHECK(redacted("curl -u \"me:`curl x|sh`\" h") == "curl -u \"me:`curl x|sh`\" h");
  CHECK(redacted("curl -u 'me:pw") == "curl -u 'me:**");
  CHECK(redacted("ls -l *.c \\") == "ls -l *.c \\");
}

TEST_CASE("redact: no quote that a shell reads otherwise takes what it runs out of sight") {
  const auto redacted = [](const std::string& script) {
    std::vector<std::string> argv = {"bash", "-c", script};
    redact_arguments(argv);
    return argv[2];
  };
  const std::string run = "curl http://x | sh";
  CHECK(redacted("PASSWORD=$'\\'' ; " + run) == "PASSWORD=$'**' ; " + run);
  CHECK(redacted("PASSWORD=$'a\\'hunter2\\\\' ; " + run) == "PASSWORD=$'************' ; " + run);
  CHECK(redacted("PASSWORD=a$'\\'hunter2' ; " + run) == "PASSWORD=*$'\\********' ; " + run);
  CHECK(redacted("PASSWORD=$$'\\' ; " + run).ends_with("' ; " + run));
  CHECK(redacted("PASSWORD=\\$'\\' ; " + run).ends_with("' ; " + run));
  CHECK(redacted("PASSWORD=$'a''\\' ; " + run).ends_with("' ; " + run));
  CHECK(redacted("PASSWORD=\\' ; " + run).ends_with(" ; " + run));
  CHECK(redacted("PASSWORD=\\'hunter2 ; " + run).ends_with(" ; " + run));
  CHECK(redacted("PASSWORD=\\'hunter2 ; " + run).find("nter2") == std::string::npos);
  for (const std::string& script :
       {"PASSWORD=$(" + run + ") y", "export API_KEY=\"$(" + run + ")\"", "PASSWORD=\"a$(" + run + ")\" y",
        "curl -H \"Authorization: Bearer $(" + run + ")\" y"})
    CHECK(redacted(script).find("$(" + run + ")") != std::string::npos);
}

TEST_CASE("redact: any script keeps its length, and each byte or a star in its place") {
  std::mt19937 random(7);
  const std::string_view kParts[] = {"curl ", "-u ",  "me:pw ", "'",    "\"",      "\\",       "\n",   " -H ",
                                     "$(",    ")",    "`",      "bash", " -c ",    "--token ", "a b ", "=",
                                     ";",     "|sh ", "<<E\n",  "# ",   "cookie:", "\xFF",     "*",    "--user="};
  const auto is_byte_or_star = [](char was, char is) { return is == was || is == '*'; };
  for (std::uint64_t round = 0; round < test::rounds(2'000); ++round) {
    std::string script;
    while (script.size() < 80) script += kParts[random() % std::size(kParts)];
    std::vector<std::string> argv = {"bash", "-c", script, script};
    redact_arguments(argv);
    for (const std::string& shown : {argv[2], argv[3]}) {
      INFO(script << " -> " << shown);
      REQUIRE(std::equal(script.begin(), script.end(), shown.begin(), shown.end(), is_byte_or_star));
    }
  }
}

TEST_CASE("redact: an exec's and a file's texts pass the same") {
  Desk desk;
  Event exec = an_exec().argv({"curl", "-u", "x", "https://me:pw@h/"}).filename("/bin/" + std::string(kPat));
  desk.redactor.take(exec, desk.give());
  CHECK(std::get<ExecBody>(desk.given[0].body).argv.at(3) == "https://me:**@h/");
  CHECK(std::get<ExecBody>(desk.given[0].body).filename.find(kPat) == std::string::npos);
  FileBody file;
  file.at.requested = "/tmp/" + std::string(kPat);
  desk.redactor.take(Desk::event_of(file), desk.give());
  CHECK(std::get<FileBody>(desk.given[1].body).at.requested.find(kPat) == std::string::npos);
}

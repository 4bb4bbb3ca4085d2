#include "event/secret_rules.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "base/text.h"

namespace aa {
namespace {

ByteClass class_of(std::string_view extra, bool letters, bool upper, bool digits) {
  ByteClass bytes;
  for (const char character : extra) bytes.set(static_cast<unsigned char>(character));
  for (unsigned byte = 'a'; letters && byte <= 'z'; ++byte) bytes.set(byte);
  for (unsigned byte = 'A'; upper && byte <= 'Z'; ++byte) bytes.set(byte);
  for (unsigned byte = '0'; digits && byte <= '9'; ++byte) bytes.set(byte);
  return bytes;
}

const ByteClass kWord = class_of("_-", true, true, true);      // base64url
const ByteClass kDotted = class_of("_-.=", true, true, true);  // several of those
const ByteClass kTwoWords = class_of("_-.", true, true, true);
const ByteClass kAlnum = class_of("", true, true, true);
const ByteClass kCapitals = class_of("", false, true, true);
const ByteClass kHex = class_of("abcdefABCDEF", false, false, true);
const ByteClass kBearer = class_of("-._~+/=", true, true, true);  // RFC 6750
const ByteClass kBase64 = class_of("+/=_-%", true, true, true);   // also as URLs carry it

constexpr SecretRule token(std::string_view kind, std::string_view begin, const ByteClass& bytes, std::uint16_t least) {
  return {kind, begin, SecretShape::token, &bytes, least};
}
// Also as the end of a longer name: DB_PASSWORD.
constexpr SecretRule field(std::string_view kind, std::string_view name) {
  return {kind, name, SecretShape::field, nullptr, 0, true, false};
}
// A name that harmless values have too: {"token":" the"}. Those are short, or have spaces.
constexpr std::uint16_t kLeastOfCommonName = 16;
constexpr SecretRule common_field(std::string_view kind, std::string_view name) {
  return {kind, name, SecretShape::field, nullptr, kLeastOfCommonName, true, false};
}

const std::array kPlainRules = {
    // language models
    token("anthropic", "sk-ant-", kWord, 16),
    token("openai", "sk-proj-", kWord, 16),
    token("openai", "sk-svcacct-", kWord, 16),
    token("openai", "sk-admin-", kWord, 16),
    token("openrouter", "sk-or-v1-", kHex, 32),
    token("openai", "sk-", kAlnum, 24),
    token("google", "AIza", kWord, 35),
    token("hugging-face", "hf_", kAlnum, 30),
    token("groq", "gsk_", kAlnum, 30),
    token("perplexity", "pplx-", kAlnum, 30),
    token("xai", "xai-", kAlnum, 40),
    token("fireworks", "fw_", kAlnum, 24),
    token("langsmith", "lsv2_pt_", kWord, 32),
    token("langsmith", "lsv2_sk_", kWord, 32),
    token("tavily", "tvly-", kWord, 20),
    token("nvidia", "nvapi-", kWord, 40),
    token("replicate", "r8_", kAlnum, 30),
    // source code, packages
    token("github", "ghp_", kAlnum, 30),
    token("github", "gho_", kAlnum, 30),
    token("github", "ghu_", kAlnum, 30),
    token("github", "ghs_", kAlnum, 30),
    token("github", "ghr_", kAlnum, 30),
    token("github", "github_pat_", kWord, 40),
    token("gitlab", "glpat-", kDotted, 20),
    token("gitlab", "gldt-", kDotted, 20),
    token("gitlab", "glrt-", kDotted, 20),
    token("gitlab", "glcbt-", kDotted, 20),
    token("gitlab", "glptt-", kDotted, 20),
    token("gitlab", "glsoat-", kDotted, 20),
    token("npm", "npm_", kAlnum, 36),
    token("pypi", "pypi-AgE", kWord, 40),
    token("rubygems", "rubygems_", kHex, 40),
    token("docker", "dckr_pat_", kWord, 20),
    token("atlassian", "ATATT3", kDotted, 50),
    token("atlassian", "ATCTT3", kDotted, 50),
    token("linear", "lin_api_", kAlnum, 32),
    token("postman", "PMAK-", kWord, 40),
    token("figma", "figd_", kWord, 30),
    token("notion", "ntn_", kAlnum, 36),
    token("sentry", "sntrys_", kDotted, 40),
    token("sentry", "sntryu_", kHex, 40),
    // clouds and services
    token("aws", "AKIA", kCapitals, 16),
    token("aws", "ASIA", kCapitals, 16),
    token("google", "ya29.", kWord, 30),
    token("google", "GOCSPX-", kWord, 24),
    token("google", "1//0", kWord, 40),
    token("google", "1\\/\\/0", kWord, 40),  // as JSON may have it, and URLs
    SecretRule{"google", "1%2f%2f0", SecretShape::token, &kWord, 40, true},
    token("digitalocean", "dop_v1_", kHex, 60),
    token("digitalocean", "doo_v1_", kHex, 60),
    token("digitalocean", "dor_v1_", kHex, 60),
    token("vault", "hvs.", kWord, 24),
    token("vault", "hvb.", kWord, 24),
    token("terraform", "atlasv1.", kWord, 50),
    token("databricks", "dapi", kHex, 32),
    token("doppler", "dp.pt.", kAlnum, 40),
    token("supabase", "sbp_", kHex, 40),
    token("tailscale", "tskey-", kWord, 20),
    token("pulumi", "pul-", kHex, 40),
    token("grafana", "glsa_", kWord, 32),
    token("newrelic", "NRAK-", kCapitals, 27),
    token("age", "AGE-SECRET-KEY-1", kCapitals, 50),
    // payment, mail, chat
    token("stripe", "sk_live_", kAlnum, 20),
    token("stripe", "sk_test_", kAlnum, 20),
    token("stripe", "rk_live_", kAlnum, 20),
    token("stripe", "rk_test_", kAlnum, 20),
    token("stripe", "whsec_", kBase64, 24),
    token("square", "sq0atp-", kWord, 22),
    token("square", "EAAA", kWord, 60),
    token("square", "sq0csp-", kWord, 40),
    token("shopify", "shpat_", kHex, 32),
    token("shopify", "shpss_", kHex, 32),
    token("shopify", "shpca_", kHex, 32),
    SecretRule{"sendgrid", "SG.", SecretShape::token, &kTwoWords, 66, false, true, '.', 22},
    token("twilio", "SK", kHex, 32),
    token("brevo", "xkeysib-", kWord, 60),
    token("mailgun", "key-", kHex, 32),
    token("slack", "xoxb-", kWord, 20),
    token("slack", "xoxp-", kWord, 20),
    token("slack", "xoxa-", kWord, 20),
    token("slack", "xoxr-", kWord, 20),
    token("slack", "xoxs-", kWord, 20),
    token("slack", "xoxe.", kDotted, 30),
    token("slack", "xapp-", kWord, 20),
    SecretRule{"slack", "hooks.slack.com/services/", SecretShape::token, &kBase64, 20, true},
    SecretRule{"telegram", "api.telegram.org/bot", SecretShape::token, &kDotted, 8, true},
    SecretRule{"telegram", ":AA", SecretShape::token, &kWord, 33, false, false, 0, 0, true},
    // shapes
    SecretRule{"jwt", "eyJ", SecretShape::token, &kDotted, 20, false, true, '.'},
    SecretRule{"private-key", "PRIVATE KEY-----", SecretShape::pem, nullptr, 0, false, false},
    SecretRule{"private-key", "PRIVATE KEY BLOCK-----", SecretShape::pem, nullptr, 0, false, false},
    SecretRule{"private-key", "PRIVATE+KEY-----", SecretShape::pem, nullptr, 0, false, false},  // as forms have it
    SecretRule{"private-key", "PRIVATE%20KEY-----", SecretShape::pem, nullptr, 0, false, false},
    SecretRule{"private-key", "PRIVATE+KEY+BLOCK-----", SecretShape::pem, nullptr, 0, false, false},
    SecretRule{"private-key", "PRIVATE%20KEY%20BLOCK-----", SecretShape::pem, nullptr, 0, false, false},
    SecretRule{"authorization", "bearer ", SecretShape::token, &kBearer, 20, true},  // not as a header's value only
    SecretRule{"url-password", "://", SecretShape::userinfo, nullptr, 0, false, false},
    SecretRule{"url-password", ":\\/\\/", SecretShape::userinfo, nullptr, 0, false, false},   // as JSON may have it
    SecretRule{"url-password", "%3a%2f%2f", SecretShape::userinfo, nullptr, 0, true, false},  // as other URLs may
    // fields of headers, of JSON, of forms and URLs
    field("authorization", "authorization"),
    field("authorization", "proxy-authorization"),
    field("cookie", "cookie"),
    field("cookie", "set-cookie"),
    field("api-key", "x-api-key"),
    field("api-key", "api-key"),
    field("api-key", "apikey"),
    field("api-key", "api_key"),
    field("api-key", "x-goog-api-key"),
    field("api-key", "x-auth-token"),
    field("api-key", "x-amz-security-token"),
    field("api-key", "x-vault-token"),
    field("api-key", "private-token"),
    field("api-key", "aws_secret_access_key"),
    field("api-key", "secretaccesskey"),
    field("api-key", "accountkey"),
    field("token", "access_token"),
    field("token", "access-token"),
    field("token", "accesstoken"),
    field("token", "refresh_token"),
    field("token", "refresh-token"),
    field("token", "refreshtoken"),
    field("token", "id_token"),
    field("token", "id-token"),
    field("token", "idtoken"),
    field("token", "session_token"),
    field("token", "session-token"),
    field("token", "sessiontoken"),
    field("token", "auth_token"),
    field("token", "auth-token"),
    field("token", "authtoken"),
    field("token", "client_secret"),
    field("token", "client-secret"),
    field("token", "clientsecret"),
    common_field("token", "token"),
    common_field("token", "secret"),
    common_field("signature", "signature"),
    field("private-key", "private-key"),
    field("private-key", "private_key"),
    field("private-key", "privatekey"),
    field("password", "password"),
    field("password", "passwd"),
    field("signature", "x-amz-signature"),
    field("signature", "x-goog-signature"),
};

// ---- the same in base64 ----

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ByteClass kCoded = class_of("+/-_=", true, true, true);
const ByteClass kValue = [] {  // of a field: all but control characters
  ByteClass bytes;
  for (unsigned byte = ' '; byte < 256; ++byte) bytes.set(byte);
  return bytes;
}();
constexpr std::uint16_t kLeastCodedField = 3;  // "=ab"
constexpr std::size_t kLeastCoded = 3;         // shorter beginnings are everywhere in base64

char raised(char character) {
  return character >= 'a' && character <= 'z' ? static_cast<char>(character - 'a' + 'A') : character;
}

// The letters that `begin` alone decides when `before` bytes of a group of three come before it. What is decided of the
// next letter is bits of `begin`, so many.
std::pair<std::string, std::uint8_t> coded_beginning(std::string_view begin, std::size_t before) {
  const std::size_t first_bit = 8 * before, end_bit = first_bit + 8 * begin.size();
  const auto bit = [&](std::size_t at) {
    const auto byte = static_cast<unsigned char>(begin[at / 8 - before]);
    return byte >> (7 - at % 8) & 1;
  };
  std::string letters;
  std::size_t at = (first_bit + 5) / 6 * 6;
  for (; at + 6 <= end_bit; at += 6) {
    unsigned value = 0;
    for (std::size_t of = 0; of < 6; ++of) value = value << 1 | static_cast<unsigned>(bit(at + of));
    letters += kLetters[value];
  }
  return {letters, static_cast<std::uint8_t>(end_bit - at)};
}

// A field's name as programs write it: base64 shows no case that could be passed over.
std::vector<std::string> spellings_of(std::string_view name) {
  std::string upper(name), title(name);
  for (std::size_t at = 0; at < name.size(); ++at) {
    upper[at] = raised(name[at]);
    if (at == 0 || name[at - 1] == '-' || name[at - 1] == '_') title[at] = upper[at];
  }
  std::vector<std::string> out = {std::string(name), title, upper};
  for (const std::string_view camel :
       {"apiKey", "ApiKey", "accessToken", "refreshToken", "clientSecret", "secretAccessKey", "SecretAccessKey",
        "AccountKey", "sessionToken", "SessionToken", "privateKey", "PrivateKey"})
    if (std::ranges::equal(camel, name, {}, lower, lower)) out.emplace_back(camel);
  return out;
}

// One that ends in another field's name is found by that one.
bool ends_in_field(const SecretRule& rule) {
  return std::ranges::any_of(kPlainRules, [&](const SecretRule& other) {
    return other.shape == SecretShape::field && other.begin.size() < rule.begin.size() &&
           rule.begin.ends_with(other.begin);
  });
}

std::vector<std::string> beginnings_of(const SecretRule& plain) {
  if (plain.begin.size() < kLeastCoded) return {};
  if (plain.shape == SecretShape::token || plain.shape == SecretShape::pem) return {std::string(plain.begin)};
  if (plain.shape == SecretShape::field && !ends_in_field(plain)) return spellings_of(plain.begin);
  return {};
}

std::vector<SecretRule> all_rules() {
  static std::deque<std::string> coded_beginnings;  // rules look at them
  std::vector<SecretRule> rules(kPlainRules.begin(), kPlainRules.end());
  for (const SecretRule& plain : kPlainRules) {
    for (const std::string& begin : beginnings_of(plain)) {
      for (std::size_t before = 0; before < 3; ++before) {
        const auto [letters, bits] = coded_beginning(begin, before);
        SecretRule coded{plain.kind, coded_beginnings.emplace_back(letters), SecretShape::coded, &kCoded, plain.least};
        coded.whole_word = false;
        coded.needs = plain.needs;
        coded.needs_at = plain.needs_at;
        coded.plain = plain.bytes;
        coded.bits = bits;
        coded.names = plain.shape == SecretShape::field;
        if (coded.names) coded.plain = &kValue;
        if (coded.names) coded.least = kLeastCodedField;
        rules.push_back(coded);
      }
    }
  }
  return rules;
}

}  // namespace

std::span<const SecretRule> secret_rules() {
  static const std::vector<SecretRule> rules = all_rules();
  return rules;
}

std::optional<std::uint8_t> base64_value(unsigned char letter) {
  if (letter == '-' || letter == '_') letter = letter == '-' ? '+' : '/';
  const std::size_t at = kLetters.find(static_cast<char>(letter));
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(at);
}

const SecretAutomaton& SecretAutomaton::shared() {
  static const SecretAutomaton automaton;
  return automaton;
}

SecretAutomaton::SecretAutomaton() : next_(1), endings_(1) {
  next_[0].fill(0);
  for (std::size_t rule = 0; rule < secret_rules().size(); ++rule) add(static_cast<std::uint16_t>(rule));
  link();
}

void SecretAutomaton::add(std::uint16_t rule) {
  State at = 0;
  for (const char character : secret_rules()[rule].begin) {
    State& next = next_[at][static_cast<unsigned char>(lower(character))];
    if (next == 0) {
      next = static_cast<State>(next_.size());
      next_.emplace_back().fill(0);  // moves the row `next` is in: it has been written
      endings_.emplace_back();
    }
    at = next_[at][static_cast<unsigned char>(lower(character))];
  }
  endings_[at].push_back(rule);
}

// Where no longer beginning goes on, the longest one that is still possible does.
void SecretAutomaton::link() {
  std::vector<State> fallback(next_.size(), 0);
  std::deque<State> waiting;
  for (const State child : next_[0])
    if (child != 0) waiting.push_back(child);
  for (; !waiting.empty(); waiting.pop_front()) {
    const State at = waiting.front();
    const auto& shorter = endings_[fallback[at]];
    endings_[at].insert(endings_[at].end(), shorter.begin(), shorter.end());
    for (unsigned byte = 0; byte < 256; ++byte) {
      const State child = next_[at][byte];
      if (child == 0) {
        next_[at][byte] = next_[fallback[at]][byte];
        continue;
      }
      fallback[child] = next_[fallback[at]][byte];
      waiting.push_back(child);
    }
  }
  for (const auto& rules : endings_) ends_.push_back(rules.empty() ? 0 : 1);
  for (auto& row : next_)
    for (unsigned byte = 'A'; byte <= 'Z'; ++byte)
      row[byte] = row[static_cast<unsigned char>(lower(static_cast<char>(byte)))];
}

}  // namespace aa

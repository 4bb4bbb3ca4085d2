// An agent's own promises: what each format's entries become, what is told of the others, and which files are read.
#include "config/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"
#include "config/import_file.h"
#include "config/importer.h"
#include "state/rules_text.h"
#include "support/catch.h"
#include "support/scratch.h"

using namespace aa;
using aa::test::Scratch;

namespace {

const ImportBase kBase{"/home/u/p", "/home/u"};

std::vector<std::string> patterns(const Promises& promises) {
  std::vector<std::string> out;
  for (const PathRule& rule : promises.rules) out.push_back(rule.pattern);
  return out;
}

std::vector<std::string> skipped(const Promises& promises) {
  std::vector<std::string> out;
  for (const auto& one : promises.skipped) out.push_back(std::to_string(one.line) + " " + one.entry + ": " + one.why);
  return out;
}

using Lines = std::vector<std::string>;

Promises ignore(std::string_view text, const std::string& path = "/home/u/p/.gitignore") {
  return translate(ImportFormat::ignore, text, path, kBase);
}

Promises claude(const std::string& entries, const std::string& path = "/home/u/.claude/settings.json",
                const ImportBase& base = kBase) {
  return translate(ImportFormat::claude, "{\"permissions\": {\"deny\": [" + entries + "]}}", path, base);
}

Promises codex(std::string_view text) {
  return translate(ImportFormat::codex, text, "/home/u/.codex/config.toml", kBase);
}

bool denies(const Promises& promises, const std::string& path, FileOp op = FileOp::open) {
  const auto compiled = PathRules::compile(promises.rules, {}, 1);
  REQUIRE(std::holds_alternative<std::shared_ptr<const PathRules>>(compiled));
  PathQuery query;
  query.op = op;
  query.path = path;
  return std::get<std::shared_ptr<const PathRules>>(compiled)->judge(query).verdict == Verdict::deny;
}

}  // namespace

TEST_CASE("imports: what may be written, and what is said of the rest") {
  const auto source = std::get<ImportSource>(parse_import("claude:~/.claude/settings.json"));
  CHECK(source.format == ImportFormat::claude);
  CHECK(path_of(source, kBase) == "/home/u/.claude/settings.json");
  CHECK(path_of(std::get<ImportSource>(parse_import(".aiderignore")), kBase) == "/home/u/p/.aiderignore");
  CHECK(path_of(std::get<ImportSource>(parse_import(".gitignore:sub/../.gitignore")), kBase) == "/home/u/p/.gitignore");
  CHECK(path_of(std::get<ImportSource>(parse_import(".cursorignore:/srv/x")), {}) == "/srv/x");
  CHECK_FALSE(path_of(source, {}).has_value());
  for (const char* wrong : {"claude", "codex:", "cursor:~/x", "", "~/.claude/settings.json", ".gitignore:/x/"}) {
    CAPTURE(wrong);
    CHECK(std::holds_alternative<std::string>(parse_import(wrong)));
  }
}

TEST_CASE("imports: an ignore file's entries mean what git takes them to mean") {
  const Promises promises = ignore(
      "# secrets\n\n.env\n/top\nsub/file\nbuild/\n*.pem\ndeep/**/key\nall/**\n\\#odd\nspace\\ \nend  "
      "\r\nfoo**bar\n{a,b}\nodd\\/\n"
      "[^x]y\n");
  CHECK(skipped(promises).empty());
  for (const char* denied :
       {"/home/u/p/.env", "/home/u/p/a/b/.env", "/home/u/p/.env/below", "/home/u/p/top", "/home/u/p/sub/file",
        "/home/u/p/x/build/out", "/home/u/p/build", "/home/u/p/k.pem", "/home/u/p/x/k.pem", "/home/u/p/deep/key",
        "/home/u/p/deep/a/b/key", "/home/u/p/all/x/y", "/home/u/p/#odd", "/home/u/p/space ", "/home/u/p/end",
        "/home/u/p/fooXbar", "/home/u/p/{a,b}", "/home/u/p/zy", "/home/u/p/odd/x"}) {
    CAPTURE(denied);
    CHECK(denies(promises, denied));
  }
  for (const char* free :
       {"/home/u/.env", "/home/u/p/x/top", "/home/u/p/x/sub/file", "/home/u/p/kpem", "/home/u/p/all",
        "/home/u/p/# secrets", "/home/u/p/space", "/home/u/p/fooX/bar", "/home/u/p/a", "/home/u/p/xy"}) {
    CAPTURE(free);
    CHECK_FALSE(denies(promises, free));
  }
}

TEST_CASE("imports: an ignore file counts from its own folder where the target works in it, else from there") {
  CHECK(patterns(ignore("/x/\n", "/home/u/.gitignore")) == Lines{"/home/u/x/"});
  CHECK(patterns(ignore("/x/\n", "/etc/ignore")) == Lines{"/home/u/p/x/"});
  CHECK(patterns(translate(ImportFormat::ignore, "x", "/a*/.gitignore", {})) == Lines{"/a\\*/**/x/"});
  CHECK(denies(translate(ImportFormat::ignore, "x", "/.gitignore", {"", ""}), "/y/x"));
}

TEST_CASE("imports: entries of an ignore file that are no rules are told, each with its line") {
  CHECK(
      skipped(ignore("a\n!b\n/\n[[:alpha:]]\nend\\\n[open\na/../b\n")) ==
      Lines{"2 !b: it takes another back, and an import only adds", "3 /: it names nothing",
            "4 [[:alpha:]]: it holds a class of characters such as [:alpha:]", "5 end\\: it ends in a backslash",
            "6 [open: the pattern \"/home/u/p/**/[open/\" cannot be used: the set opened by [ is never closed",
            "7 a/../b: the pattern \"/home/u/p/a/../b\" cannot be used: it holds the component .., which no resolved "
            "path has",
            "7 a/../b: the pattern \"/home/u/p/a/../b/\" cannot be used: it holds the component .., which no resolved "
            "path has"});
}

TEST_CASE("imports: Claude Code's Read denies every operation, Edit those that change something") {
  const Promises read = claude(R"-("Read(./.env)")-"), edit = claude(R"-("Edit(./.env)")-");
  CHECK(patterns(read) == Lines{"/home/u/p/.env", "/home/u/p/.env/"});
  CHECK(denies(read, "/home/u/p/.env", FileOp::open));
  CHECK(denies(read, "/home/u/p/.env", FileOp::write));
  CHECK_FALSE(denies(edit, "/home/u/p/.env", FileOp::open));
  CHECK(denies(edit, "/home/u/p/.env", FileOp::write));
  CHECK(denies(claude(R"-("Write(./.env)")-"), "/home/u/p/.env", FileOp::create));
}

TEST_CASE("imports: Claude Code's four ways to write a path") {
  const Promises all =
      claude(R"-("Read(//srv/**)", "Read(~/.ssh/**)", "Read(/src/*.key)", "Read(.env)", "Read(./secrets/**)",
                                 "Read(//**/.netrc)", "Read(~)")-");
  CHECK(skipped(all).empty());
  CHECK(patterns(all) == Lines{"/srv/**", "/home/u/.ssh/**", "/home/u/p/src/*.key/", "/home/u/p/**/.env/",
                               "/home/u/p/secrets/**", "/**/.netrc/", "/home/u/"});
  CHECK(patterns(claude(R"-("Read(/src/**)")-", "/srv/x/.claude/settings.local.json")) == Lines{"/srv/x/src/**"});
  CHECK(denies(claude(R"-("Read(.env)")-", "/home/u/.claude/settings.json", {"", "/home/u"}), "/a/.env"));
}

TEST_CASE("imports: what Claude Code denies beside files is told, entry by entry") {
  CHECK(skipped(claude("\"Bash(rm *)\",\n\"WebFetch(domain:x.org)\", \"Read\", 7, \"Read(~/x\", \"Read()\"")) ==
        Lines{"1 Bash(rm *): it speaks of something else than files",
              "2 WebFetch(domain:x.org): it speaks of something else than files", "2 Read: it names no path",
              "2 an integer: it is no text", "2 Read(~/x: it names no path", "2 Read(): it names no path"});
  CHECK(skipped(claude(R"-("Read(~/x)", "Read(x)", "Read(//)")-", "/x", {})) ==
        Lines{"1 Read(~/x): the folder it counts from is unknown", "1 Read(x): the folder it counts from is unknown",
              "1 Read(//): it names nothing"});
  const Promises sandbox =
      translate(ImportFormat::claude, R"-({"sandbox": {"filesystem": {"denyRead": ["/x"]}}})-", "/x", kBase);
  CHECK(skipped(sandbox) == Lines{"1 sandbox.filesystem.denyRead: only permissions.deny is read"});
}

TEST_CASE("imports: Claude Code's settings that are none are broken, and those without denies are not") {
  const auto broken = [](const char* text) {
    return translate(ImportFormat::claude, text, "/x", kBase).broken.value_or("fine");
  };
  CHECK(broken("{") == "line 1 is not JSON: something else was expected here");
  CHECK(broken("[]") == "line 1 wants an object with one object a section");
  CHECK(broken("{\"permissions\": 3}") == "permissions is an integer, not an object");
  CHECK(broken("{\"permissions\": {\"deny\": {}}}") == "permissions.deny is a table, not a list");
  CHECK(broken("{}") == "fine");
  CHECK(broken("{\"permissions\": {\"allow\": [\"Read(x)\"]}}") == "fine");
}

TEST_CASE("imports: the profile that Codex is told to use, its denies") {
  const Promises promises = codex(R"-(
default_permissions = "mine"
[permissions.mine.filesystem]
":root" = "read"
"/srv/private" = "none"
"~/.aws" = "deny"
"/data/**/*.key" = "none"
":tmpdir" = "none"
glob_scan_max_depth = 3
[permissions.mine.filesystem.":workspace_roots"]
"." = "write"
"**/*.env" = "none"
"secrets" = "none"
[permissions.other.filesystem]
"/x" = "none"
)-");
  CHECK(patterns(promises) == Lines{"/srv/private", "/srv/private/", "/home/u/.aws", "/home/u/.aws/", "/data/**/*.key/",
                                    "/home/u/p/**/*.env/", "/home/u/p/secrets", "/home/u/p/secrets/"});
  CHECK(skipped(promises) == Lines{"8 :tmpdir: it is no folder of which the place is known",
                                   "14 permissions.other: default_permissions chooses another profile"});
  CHECK(skipped(codex("sandbox_mode = \"read-only\"\ndefault_permissions = \"a\"\n[permissions.a.filesystem]\n\"/x\" = "
                      "\"none\"\n")) == Lines{"3 permissions.a: Codex goes by sandbox_mode, which is given too"});
  CHECK(codex("a = = 1").broken.value_or("").starts_with("line 1 is not TOML"));
  std::string deep = "a";
  for (int i = 0; i < 60'000; ++i) deep += ".a";
  CHECK(codex(deep + " = 1").broken.value_or("") == "line 1 has a key of more than 16 parts");
  CHECK(patterns(codex("model = \"x\"")).empty());
}

struct PromiseFiles {
  Scratch scratch;
  std::string folder = std::filesystem::canonical(scratch.file("."));
  UniqueFd root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};

  PromiseFiles() {
    scratch.write("own", "words");
    scratch.write("large", std::string(256 * 1024 + 1, 'x'));
    ::mkfifo(scratch.file("fifo").c_str(), 0644);
    std::filesystem::create_directory(scratch.file("hidden"));
    scratch.write("hidden/file", "hidden words");
    ::chmod(scratch.file("hidden").c_str(), 0700);
    std::filesystem::create_symlink(scratch.file("own"), scratch.file("link"));
    std::filesystem::create_symlink(scratch.file("hidden/file"), scratch.file("to-hidden"));
    std::filesystem::create_symlink("/dev/null", scratch.file("to-device"));
    std::filesystem::create_directory_symlink(folder, scratch.file("folder"));
  }
  void mode(const char* name, mode_t mode) const { ::chmod(scratch.file(name).c_str(), mode); }
  std::string said(const std::string& name, std::uint32_t uid) const {
    const auto text = read_import(root.get(), folder + "/" + name, {uid, uid});
    if (text) return *text;
    return text.error().doing +
           (text.error().errno_value == 0 ? "" : std::string(": ") + std::strerror(text.error().errno_value));
  }
};

TEST_CASE("imports: a regular file of bounded size is read, and nothing else; one that is not there is no fault") {
  const PromiseFiles files;
  const std::uint32_t self = ::geteuid();
  CHECK(files.said("own", self) == "words");
  CHECK(files.said("fifo", self) == "is not a regular file");
  CHECK(files.said("large", self) == "is larger than 256 KiB");
  for (const char* name : {"/none", "/own/none"})
    CHECK(read_import(files.root.get(), files.folder + name, {self, self}).error().errno_value == ENOENT);
}

TEST_CASE("imports: what a user may not reach or read is not read for him, by no link either") {
  if (::geteuid() != 0) return;  // only root has others' rights
  const PromiseFiles files;
  constexpr std::uint32_t kSomebody = 4'000'000;
  const std::string refused = "cannot be opened: Permission denied";
  CHECK(files.said("own", kSomebody) == refused);  // the folder is ours alone
  files.mode(".", 0755);
  files.mode("own", 0600);
  CHECK(files.said("own", kSomebody) == refused);
  CHECK(files.said("link", kSomebody) == refused);
  files.mode("own", 0644);
  for (const char* name : {"own", "link", "folder/own", "folder/link"}) CHECK(files.said(name, kSomebody) == "words");
  CHECK(files.said("hidden/file", kSomebody) == refused);
  CHECK(files.said("to-hidden", kSomebody) == refused);
  CHECK(files.said("to-device", kSomebody) == "is not a regular file");
  CHECK(files.said("hidden/file", 0) == "hidden words");  // our own rights are back
}

TEST_CASE("imports: a link ends at the root folder of who promised") {
  if (::geteuid() != 0) return;
  const PromiseFiles files;
  files.mode(".", 0755);
  const UniqueFd inside(::open(files.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::filesystem::create_symlink("/../../own", files.scratch.file("up"));
  const auto text = read_import(inside.get(), "/up", {4'000'000, 4'000'000});
  REQUIRE(text);
  CHECK(*text == "words");
}

TEST_CASE("imports: for root no link is followed, and the file must be root's or everybody's to read") {
  if (::geteuid() != 0) return;
  const PromiseFiles files;
  const std::string no_link = "is reached through a symbolic link, which is not followed for root";
  for (const char* name : {"link", "folder/own", "to-hidden"}) CHECK(files.said(name, 0) == no_link);
  REQUIRE(::chown(files.scratch.file("own").c_str(), 4'000'000, 4'000'000) == 0);
  CHECK(files.said("own", 0) == "words");
  files.mode("own", 0600);
  CHECK(files.said("own", 0) == "belongs to another user, and not everybody may read it");
}

TEST_CASE("imports: a process that is gone has promised nothing, and a file that is missing neither") {
  ImportPlan plan;
  plan.key = 3;
  plan.root = {static_cast<std::uint32_t>(::getpid()), 1};
  plan.imports = {"claude:/etc/hostname"};
  const Imported gone = import_now(plan);
  CHECK((gone.key == 3 && gone.rules.empty() && gone.notes.empty()));
}

TEST_CASE("imports: whoever does not answer in time is given up on, once") {
  auto importer = Importer::make();
  REQUIRE(importer);
  CHECK_FALSE((*importer)->next_deadline());
  ImportPlan plan;
  plan.key = 7;
  (*importer)->ask(plan, 100);
  std::vector<Imported> answers;
  while (answers.empty()) {
    (*importer)->on_time(100 + 20'000'000'000);
    answers = (*importer)->take();
  }
  CHECK(answers.size() == 1);
  CHECK(answers[0].key == 7);
  CHECK_FALSE((*importer)->next_deadline());
}

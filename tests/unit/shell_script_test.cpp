// What the reader of shell texts makes of them.
#include "state/shell_script.h"

#include "support/catch.h"

using namespace aa;

namespace {

std::string shown(const shell::Script& script);

std::string shown(const shell::Stage& stage) {
  std::string out = stage.group ? "{ " + shown(*stage.group) + " }" : "";
  for (const shell::Word& word : stage.words) {
    out += (out.empty() ? "" : " ") + word.text;
    for (const auto& made : word.made_by) out += "<" + shown(*made) + ">";
  }
  for (const shell::Redirect& redirect : stage.redirects) out += " " + redirect.op + redirect.target.text;
  return out;
}

std::string shown(const shell::Script& script) {
  std::string out;
  for (const shell::Pipeline& pipeline : script.pipelines) {
    if (!out.empty()) out += "; ";
    for (const shell::Stage& stage : pipeline.stages)
      out += (&stage == &pipeline.stages[0] ? "" : " | ") + shown(stage);
  }
  return out;
}

std::string read(std::string_view text) {
  shell::Variables variables;
  shell::Budget budget;
  return shown(shell::parse(text, variables, budget));
}

}  // namespace

TEST_CASE("shell text: commands, pipelines and groups") {
  CHECK(read("a b; c && d || e & f\ng") == "a b; c; d; e; f; g");
  CHECK(read("a | b |& c") == "a | b | c");
  CHECK(read("(a; b) | { c; }") == "{ a; b } | { c }");
  CHECK(read("if a; then b; else c; fi; d") == "{ a; b; c }; d");
  CHECK(read("for x in 1 2; do echo $x; done | sh") == "{ echo 1 2 } | sh");
  CHECK(read("case $x in a|b) c;; *) e; f;; esac; d") == "{ c; e; f }; d");
  CHECK(read("f() { a; }; b") == "{ a }; b");
  CHECK(read("[[ a > b ]] && c") == "c");
  CHECK(read("a # b | c") == "a");
}

TEST_CASE("shell text: quotes, escapes and expansions the text itself decides") {
  CHECK(read("c'ur'\"l\" \\x") == "curl x");
  CHECK(read("$'\\x63\\165rl'") == "curl");
  CHECK(read("a=cu; b=${a}rl; $b ${c:-d} \"$e\"") == "curl d $e");
  CHECK(read("{a,b,c}") == "a b c");
  CHECK(read("a${IFS}b$IFS'c'") == "a b c");
  CHECK(read("a{b") == "a{b");
}

TEST_CASE("shell text: substitutions, redirections, here-documents") {
  CHECK(read("a $(b | c) `d`") == "a <b | c> <d>");
  CHECK(read("a <(b) > c 2>&1") == "a <b> >c >&1");
  CHECK(read("$(echo cu)rl x") == "curl<echo cu> x");
  CHECK(read("cat <<E | sh\nline\nE\nnext") == "cat <<line\n | sh; next");
  CHECK(read("a <<< 'b c'") == "a <<<b c");
}

TEST_CASE("shell text: what is unfinished is read as far as it goes") {
  for (const char* text :
       {"'",  "\"", "`", "$(", "${", "((",  "[[", "a |",  "<<",        "<<E", "(",  "{", "if", "for",
        "\\", "$'", ")", "}",  "fi", "a <", "&&", "case", "case x in", "f()", "a=", "$", "<(", ";;"}) {
    INFO(text);
    CHECK_NOTHROW(read(text));
  }
}

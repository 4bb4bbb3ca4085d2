// state/path_rules.h: which paths are nobody's business, and what one access is worth.
//
// Comes in: rules (pattern, verdict, options) of three layers, the homes of users. Goes out: one immutable compiled set
// of one generation: judgements, and the objects (files, directories) the kernel is to recognise by device and inode.
// Pure: it opens nothing and looks at no file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "event/event.h"
#include "state/folder_index.h"
#include "state/glob.h"

namespace aa {

struct Refusal;

// `imported`: a target's own promises; only denies, each for that target alone.
enum class RuleLayer : std::uint8_t { file, runtime, imported };
inline constexpr std::size_t kRuleLayers = 3;

// A set of file operations, one bit a FileOp.
using OpSet = std::uint32_t;
inline constexpr OpSet kAllOps = ~OpSet{0};
constexpr OpSet op_bit(FileOp op) {
  return OpSet{1} << static_cast<unsigned>(op);
}
// Operations that change a file or its folder: for what everybody may read, and only its owner should change.
inline constexpr OpSet kChanges = op_bit(FileOp::write) | op_bit(FileOp::create) | op_bit(FileOp::unlink) |
                                  op_bit(FileOp::rmdir) | op_bit(FileOp::mkdir) | op_bit(FileOp::mknod) |
                                  op_bit(FileOp::rename) | op_bit(FileOp::link) | op_bit(FileOp::symlink) |
                                  op_bit(FileOp::truncate) | op_bit(FileOp::chmod) | op_bit(FileOp::chown);

struct PathRule {
  std::string pattern;
  Verdict verdict = Verdict::deny;
  OpSet ops = kAllOps;
  std::optional<Severity> severity;  // of the alert; absent: warning
  std::string category;              // "" none
  std::string target;                // id or name; "" every target
  RuleLayer layer = RuleLayer::runtime;

  bool operator==(const PathRule&) const = default;
};

std::string_view name_of(RuleLayer layer);  // "file" "runtime" "imported"

// Says in one sentence what is wrong with a rule's pattern or options (op names were resolved before).
std::optional<std::string> check_rule(const PathRule& rule);

inline constexpr std::size_t kMostPathRules = 100'000;  // of the configuration and of the running layer together

inline constexpr std::size_t kMostPatternBytes = std::size_t{32} << 20;  // of their patterns, with { } spelt out

// Says in one sentence when these are more than can be in force. What is imported has a limit of its own: no agent may
// use up the administrator's room.
std::string check_room(const std::vector<PathRule>& rules);

// Its patterns, with { } spelt out; of a rule that check_rule would not take the pattern as it is.
std::vector<std::string> alternatives_of(const PathRule& rule);

// What one access is judged by.
struct PathQuery {
  FileOp op = FileOp::open;
  std::string_view path;                   // from the mount namespace's root; "" when unknown or not whole
  std::string_view requested;              // absolute as asked for, not resolved; "" when it is the same or unknown
  std::string_view relative;               // as asked for, from a folder that is not known; "" as above
  std::string_view inner;                  // from the root of its own file system (FilePath::inner)
  std::string_view tail;                   // of a path that is too long
  std::span<const std::uint32_t> objects;  // of objects() that the kernel met on the way to the file
  struct Whose {
    std::string_view id;
    std::string_view name;
  };
  std::span<const Whose> targets;  // that it is of: its own, and those that this is nested in
  // Where what is mounted may deceive (MountedPath, in bytes of `path` and in `objects`).
  std::size_t mount_point = 0;
  bool bound = false;
  std::span<const std::uint32_t> within;     // met in what is mounted at `mount_point`, or its root
  std::span<const std::uint32_t> elsewhere;  // folders that a bound part really lies in
  OpSet also = 0;                            // what the operation does besides: an open that cuts the file off
  bool any_op = false;  // rules of every op decide, and of every target ("would this path be denied at all")
};

struct Judgement {
  Verdict verdict = Verdict::none;
  const PathRule* rule = nullptr;  // null for none; lives as long as the set
  bool unfinished = false;         // imported globs cost too much for this path: not all were held against it
  std::uint32_t object = 0;        // the rule's, by which the kernel can be told to recognise the same file again
  bool asked_only = false;         // what was passed made it match, and nothing that was resolved
  bool by_mount = false;           // the place where it is mounted made it match, and nothing that is its own
};

class PathRules {
 public:
  // What the kernel recognises: a file, a directory with all below it, or what a glob was found to match.
  struct Object {
    enum class Kind : std::uint8_t { file, directory, glob };
    std::uint32_t id = 0;  // 1, 2, …
    std::string path;      // absolute, without a slash at the end; of a glob the glob
    Kind kind = Kind::file;
    bool denies = false;   // a deny rule names it
    bool watches = false;  // a watch rule does
  };

  // All of every layer, or a sentence (invalid_pattern, limit_reached) that names the first bad rule. `homes`: what `~`
  // stands for, each an absolute path. Cost: linear, about a microsecond a rule.
  static std::variant<std::shared_ptr<const PathRules>, Refusal> compile(std::vector<PathRule> rules,
                                                                         const std::vector<std::string>& homes,
                                                                         std::uint64_t generation);

  Judgement judge(const PathQuery& query) const;

  std::uint64_t generation() const { return generation_; }
  const std::vector<PathRule>& rules() const { return rules_; }  // file layer first
  const std::vector<Object>& objects() const { return objects_; }

 private:
  // One pattern after `~` and `{}` are spelt out.
  struct Matcher {
    std::uint32_t rule = 0;
    std::uint32_t prefix = 0;  // length of its literal beginning
    std::uint32_t reach = 0;   // length of the file or folder that it names for certain, without a slash at the end
    std::uint32_t object = 0;
    enum class Kind : std::uint8_t { exact, directory, glob } kind = Kind::exact;
    std::optional<Glob> glob;
  };
  using Index = std::unordered_map<std::string, std::vector<std::uint32_t>>;
  // A matcher that matched.
  struct Found {
    std::uint32_t matcher = 0;
    bool by_name = false;   // by what names it here, not by an object or its own path alone, which may be met anywhere
    bool resolved = false;  // not by what was passed alone, which may be anything
    bool by_own = false;    // by an object, or its path in its own file system
  };
  class Matched;
  bool is_by_mount(const Found& found, const PathQuery& query) const;

  std::string add_rule(std::uint32_t index, const std::vector<std::string>& homes);
  std::string add_pattern(std::uint32_t rule, const std::string& pattern);
  void add_glob(std::uint32_t rule, Glob glob, const std::string& text);
  void add_object(const std::string& path, std::uint32_t matcher);
  void match_end(const std::string& end, const PathQuery& query, Matched& matched) const;
  void match_text(std::string_view path, const PathQuery& query, Matched& matched) const;
  void match_globs(const std::vector<std::uint32_t>& globs, std::string_view path, const PathQuery& query,
                   Matched& matched) const;
  bool applies(const PathRule& rule, const PathQuery& query) const;
  bool outranks(const Matcher& allow, const Matcher& deny) const;
  bool beats(const Matcher& allow, const Found& found, const PathQuery& query) const;
  Judgement decide(const Matched& matched, const PathQuery& query) const;

  std::uint64_t generation_ = 0;
  std::vector<PathRule> rules_;
  std::vector<Matcher> matchers_;
  std::vector<Object> objects_;
  std::vector<std::vector<std::uint32_t>> by_object_;  // object id − 1 → matchers
  Index exact_;                                        // path → object ids
  FolderIndex directories_;                            // path without slash, "" of the root → object ids
  Index globs_by_name_;                                // last component → matchers
  FolderIndex globs_by_folder_;                        // literal folder they begin with → matchers
  std::vector<std::uint32_t> anywhere_;                // globs that begin with **/
};

// `path` with "//", "/./" and "/x/../" taken out as text alone: right only where no component is a symlink.
std::string lexically_normal(std::string_view path);

}  // namespace aa

#include "event/decode_file.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "abi/event.h"
#include "event/bad_record.h"

namespace aa {
namespace {

std::string join(std::string_view folder, std::string_view name) {
  if (name.empty()) return folder.empty() ? "/" : std::string(folder);
  if (name.front() == '/') return std::string(folder) + std::string(name);
  return std::string(folder) + "/" + std::string(name);
}

// What to call an object that has no place in the tree: by its kind and its inode, as /proc does.
std::string detached_name(const aa_file_path& raw, std::string_view dentry, std::uint64_t ino) {
  const auto numbered = [ino](const char* kind) { return kind + (":[" + std::to_string(ino) + "]"); };
  if ((raw.flags & AA_PATH_PIPE) != 0) return numbered("pipe");
  if ((raw.flags & AA_PATH_SOCKET) != 0) return numbered("socket");  // its own name is its protocol's
  return dentry == "/" || dentry.empty() ? numbered("anon") : std::string(dentry);
}

// `text` begins with this path's strings; they are taken off it. False: they claim more than there is.
// `is_text`: what a symlink will hold, which is looked up from where the link is.
bool take_path(const aa_file_path& raw, std::uint64_t ino, bool is_text, std::string_view& text, FilePath& out) {
  if (std::size_t{raw.path_len} + raw.inner_len + raw.requested_len > text.size()) return false;
  const std::string_view path = text.substr(0, raw.path_len);
  const std::string_view inside = text.substr(path.size(), raw.inner_len);
  const std::string_view requested = text.substr(path.size() + inside.size(), raw.requested_len);
  text.remove_prefix(path.size() + inside.size() + requested.size());
  const auto flag = [&raw](unsigned bit) { return (raw.flags & bit) != 0; };
  out.deleted = flag(AA_PATH_DELETED);
  out.detached = flag(AA_PATH_DETACHED);
  out.too_long = flag(AA_PATH_TOO_LONG);
  out.changed = flag(AA_PATH_CHANGED);
  out.requested = requested;
  // What is known of processes is known as /proc to the rules, whatever a second one is called.
  if (!inside.empty()) out.inner = (flag(AA_PATH_PROC) ? "/proc" : "") + std::string(inside);
  if (out.inner == path) out.inner.clear();
  if (out.detached) {
    out.path = flag(AA_PATH_BASE) ? std::string(requested) : detached_name(raw, path, ino);
    if (out.requested == out.path) out.requested.clear();
    return true;
  }
  const bool unmet = raw.root == AA_ROOT_UNMET || raw.root > raw.path_len;
  out.outside_root = unmet && !out.too_long;
  const std::string_view inner = unmet ? path : path.substr(raw.root);
  const bool joined = flag(AA_PATH_BASE);
  if (joined && is_text && !requested.starts_with('/')) {
    out.path = requested;
    out.outside_root = false;
  } else if (joined) {
    out.path = requested.empty() ? "" : join(requested.front() == '/' ? "" : inner, requested);
    out.ns_path = requested.empty() ? "" : join(path, requested);
    out.outside_root = out.outside_root && (requested.empty() || requested.front() != '/');
  } else {
    out.path = inner.empty() ? "/" : std::string(inner);
    out.ns_path = path.empty() ? "/" : std::string(path);
  }
  if (out.ns_path == out.path) out.ns_path.clear();
  if (out.requested == out.path) out.requested.clear();
  return true;
}

Resolution resolution_of(const aa_file& raw) {
  if ((raw.at.flags & (AA_PATH_TOO_LONG | AA_PATH_DETACHED)) != 0) return Resolution::unresolved;
  if ((raw.at.flags & AA_PATH_BASE) == 0) return Resolution::kernel;
  return raw.at.requested_len != 0 ? Resolution::user : Resolution::unresolved;  // it could not be read
}

MountedPath mounted(const aa_file& raw) {
  MountedPath out;
  if (raw.below_mount < raw.at.path_len) out.point = raw.at.path_len - raw.below_mount;
  out.bound = (raw.flags & AA_FILE_BOUND) != 0;
  out.within = raw.objects_within;
  out.on_path = raw.objects_on_path;
  out.all = raw.objects_at;
  return out;
}

// A name that leads out of the folder it starts from: whatever that lies in says nothing of it.
bool climbs_out(std::string_view name) {
  int depth = 0;
  for (std::size_t begin = 0; depth >= 0 && begin < name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part == "..")
      --depth;
    else if (!part.empty() && part != ".")
      ++depth;
    begin = end + 1;
  }
  return depth < 0;
}

// Whether the rule objects that were met on the way up from where a path starts say something of it.
bool shows_its_folders(const aa_file_path& raw, const FilePath& at) {
  if ((raw.flags & AA_PATH_BASE) == 0) return true;
  return raw.requested_len != 0 && (at.requested.empty() || !climbs_out(at.requested));
}

// Those of the first path come first.
void take_objects(const aa_file& raw, FileBody& body) {
  const bool is_text = body.op == FileOp::symlink && (raw.at.flags & AA_PATH_BASE) != 0;
  const bool first = !is_text && shows_its_folders(raw.at, body.at);
  const bool second = !body.to || shows_its_folders(raw.to, *body.to);
  if (first) {
    body.objects.assign(raw.object, raw.object + raw.objects_at);
    body.mounted = mounted(raw);
  }
  if (second) body.objects.insert(body.objects.end(), raw.object + raw.objects_at, raw.object + raw.objects);
}

Status check(const aa_file& raw) {
  if (raw.op >= AA_OPS) return bad_record("unknown file operation " + std::to_string(raw.op));
  if (raw.hook > AA_HOOK_LSM) return bad_record("unknown hook " + std::to_string(raw.hook));
  if (raw.via > AA_VIA_IO_URING) return bad_record("unknown way of calling " + std::to_string(raw.via));
  if (raw.objects > AA_FILE_OBJECTS) return bad_record("claims " + std::to_string(raw.objects) + " rule objects");
  if (raw.objects_within > raw.objects_on_path || raw.objects_on_path > raw.objects_at || raw.objects_at > raw.objects)
    return bad_record("has met more rule objects on its path than there are");
  for (const auto* path : {&raw.at, &raw.to}) {
    if (path->path_len > AA_PATH_MAX || path->inner_len > AA_PATH_MAX || path->requested_len > AA_PATH_MAX)
      return bad_record("a path longer than " + std::to_string(AA_PATH_MAX));
  }
  return Done{};
}

}  // namespace

Result<Event> decode_file(Event event, std::span<const std::byte> record) {
  if (record.size() < sizeof(aa_file))
    return bad_record("a file record of " + std::to_string(record.size()) + " bytes is too short");
  aa_file raw;
  std::memcpy(&raw, record.data(), sizeof(raw));
  if (Status status = check(raw); !status) return status.error();
  std::string_view text(reinterpret_cast<const char*>(record.data()) + sizeof(raw), record.size() - sizeof(raw));
  FileBody body;
  body.op = static_cast<FileOp>(raw.op);
  FilePath second;
  const bool is_text = body.op == FileOp::symlink;
  const bool fits = take_path(raw.at, raw.ino, is_text, text, body.at) && take_path(raw.to, 0, false, text, second);
  if (!fits || !text.empty()) return bad_record("a file record's paths are not as long as it says");
  if ((raw.to.flags & AA_PATH_GIVEN) != 0) body.to = std::move(second);
  if ((raw.flags & AA_FILE_FLAGS) != 0) body.flags = raw.open_flags;
  if ((raw.flags & AA_FILE_MODE) != 0) body.mode = raw.mode;
  body.result = raw.result;
  if (body.op == FileOp::read || body.op == FileOp::write) body.bytes = raw.bytes;
  body.dev = raw.dev;
  body.ino = raw.ino;
  body.inode_generation = raw.inode_generation;
  body.generation = raw.generation;
  body.resolution = resolution_of(raw);
  body.hook = static_cast<FileHook>(raw.hook);
  body.via = static_cast<FileVia>(raw.via);
  take_objects(raw, body);
  body.sum_key = raw.file;
  body.is_folder = (raw.flags & AA_FILE_FOLDER) != 0;
  body.foreign = (raw.flags & AA_FILE_FOREIGN) != 0;
  event.body = std::move(body);
  return event;
}

Result<Event> decode_file_sum(Event event, std::span<const std::byte> record) {
  if (record.size() != sizeof(aa_file_sum))
    return bad_record("a sum of " + std::to_string(record.size()) + " bytes instead of " +
                      std::to_string(sizeof(aa_file_sum)));
  aa_file_sum raw;
  std::memcpy(&raw, record.data(), sizeof(raw));
  FileSum sum;
  sum.key = {{raw.key.tgid, raw.key.start_ns}, raw.key.file,      raw.key.ino, raw.key.dev,
             raw.key.inode_generation,         raw.sum.generation};
  sum.slot = raw.sum.slot;
  sum.last_boot_ns = raw.sum.last_ns;
  sum.read_bytes = raw.sum.read_bytes;
  sum.reads = raw.sum.reads;
  sum.write_bytes = raw.sum.write_bytes;
  sum.writes = raw.sum.writes;
  event.body = FileSumBody{sum};
  return event;
}

}  // namespace aa

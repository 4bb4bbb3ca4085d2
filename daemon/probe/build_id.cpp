#include "probe/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace aa {
namespace {

constexpr std::size_t kNotesMax = 4096;  // bytes of one segment
constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kEntriesMax = 4096;

template <class T>
bool read_at(int fd, T* out, std::size_t count, std::uint64_t offset) {
  const std::size_t bytes = count * sizeof(T);
  return ::pread(fd, out, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

// The notes of a segment: length of name, length of content, type, and both, each padded to four bytes.
std::string id_in_notes(std::string_view notes) {
  const auto padded = [](std::uint32_t length) { return (std::size_t{length} + 3) & ~std::size_t{3}; };
  Elf64_Nhdr note;  // the same for 32 bits
  while (notes.size() >= sizeof(note)) {
    std::memcpy(&note, notes.data(), sizeof(note));
    notes.remove_prefix(sizeof(note));
    const std::size_t name = padded(note.n_namesz), content = padded(note.n_descsz);
    if (name > notes.size() || content > notes.size() - name) return "";
    const bool is_id = note.n_type == NT_GNU_BUILD_ID && notes.substr(0, note.n_namesz) == std::string_view("GNU\0", 4);
    if (is_id && note.n_descsz >= 8 && note.n_descsz <= 64) return std::string(notes.substr(name, note.n_descsz));
    notes.remove_prefix(name + content);
  }
  return "";
}

template <class Header, class Segment>
std::string id_of(int fd) {
  Header header;
  if (!read_at(fd, &header, 1, 0) || header.e_phentsize != sizeof(Segment)) return "";
  std::array<Segment, kHeadersMax> segments;
  const std::size_t count = std::min<std::size_t>(header.e_phnum, kHeadersMax);
  if (!read_at(fd, segments.data(), count, header.e_phoff)) return "";
  for (std::size_t i = 0; i < count; ++i) {
    if (segments[i].p_type != PT_NOTE) continue;
    std::string notes(std::min<std::size_t>(segments[i].p_filesz, kNotesMax), '\0');
    if (!read_at(fd, notes.data(), notes.size(), segments[i].p_offset)) continue;
    if (std::string id = id_in_notes(notes); !id.empty()) return id;
  }
  return "";
}

struct Named {
  std::string path;
  std::string name;
};

void learn_file(ProgramBook& book, const Named& file) {
  const UniqueFd fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string id = read_build_id(fd.get());
  if (!id.empty()) book.learn(id, static_cast<std::uint64_t>(status.st_size), file.name);
}

}  // namespace

std::string read_build_id(int fd) {
  std::array<unsigned char, EI_NIDENT> ident{};
  constexpr int kOwnOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  if (!read_at(fd, ident.data(), ident.size(), 0) || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) return "";
  if (ident[EI_DATA] != kOwnOrder) return "";
  return ident[EI_CLASS] == ELFCLASS64 ? id_of<Elf64_Ehdr, Elf64_Phdr>(fd) : id_of<Elf32_Ehdr, Elf32_Phdr>(fd);
}

void ProgramBook::learn(const std::string& build_id, std::uint64_t size, const std::string& name) {
  if (entries_.size() < kEntriesMax) entries_.try_emplace(build_id, Entry{name, size});
}

// Files before links: a link's name may stand for one of many things a file can be. Links with several names for one
// file say nothing.
void ProgramBook::learn_folder(const std::string& path) {
  std::error_code error;
  std::vector<Named> files;
  std::map<std::string, std::optional<std::string>> links;  // by the file they lead to
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = program_name(entry.path().filename().string(), table_);
    if (!table_.programs.contains(name)) continue;
    if (!entry.is_symlink(error)) {
      files.push_back({entry.path(), name});
      continue;
    }
    const std::string target = std::filesystem::weakly_canonical(entry.path(), error);
    const std::string own = program_name(target, table_);
    const auto [at, is_new] = links.try_emplace(target, table_.programs.contains(own) ? own : name);
    if (!is_new && at->second != name && at->second != own) at->second.reset();
  }
  std::sort(files.begin(), files.end(), [](const Named& a, const Named& b) { return a.path < b.path; });
  for (const Named& file : files) learn_file(*this, file);
  for (const auto& [target, name] : links) {
    if (name) learn_file(*this, {target, *name});
  }
}

std::string ProgramBook::program_of(const std::string& build_id, std::uint64_t size) const {
  const auto found = entries_.find(build_id);
  if (build_id.empty() || found == entries_.end()) return "";
  if (found->second.size != size && is_interpreter(found->second.name)) return "";
  return found->second.name;
}

bool ProgramBook::is_interpreter(const std::string& name) const {
  const auto found = table_.programs.find(name);
  if (found == table_.programs.end()) return false;
  Families families = 0;
  for (const Membership& membership : found->second) families |= membership.family;
  return std::any_of(table_.runners.begin(), table_.runners.end(),
                     [&](const Runner& runner) { return (runner.family & families) != 0 && !runner.shell; });
}

}  // namespace aa

// config/import_ignore.cpp: .gitignore, .aiderignore, .cursorignore: a pattern a line.
#include "config/import_formats.h"

namespace aa {
namespace {

// Spaces at the end do not count, unless a backslash stands before the last.
std::string_view without_end(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line;
}

// From the file's own folder, when the target works in it; a file for every project counts from where that is.
std::string folder_for(const std::string& own, const ImportBase& base) {
  const bool inside = !base.cwd || *base.cwd == own || base.cwd->starts_with(own + "/");
  return inside ? own : *base.cwd;
}

}  // namespace

Promises translate_ignore(std::string_view text, const std::string& path, const ImportBase& base) {
  Promises out;
  const std::string own = path.substr(0, path.rfind('/'));
  const std::string folder = folder_for(own, base);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = without_end(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const Entry entry(out, number, line);
    if (line.front() == '!')
      entry.skip("it takes another back, and an import only adds");
    else
      entry.add_gitignore(folder, line, kAllOps);
  }
  return out;
}

}  // namespace aa

// state/folder_index.h: which of many folders lie on a path, in one pass over it however many components it has.
//
// Private to this room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aa {

class FolderIndex {
 public:
  using Ids = std::vector<std::uint32_t>;

  Ids& operator[](const std::string& folder) { return ids_[folder]; }
  bool empty() const { return ids_.empty(); }

  // Of each folder that the path begins with, "" (its root) first. Cost: linear in its bytes.
  template <class Then>
  void each_above(std::string_view path, Then then) const {
    std::uint64_t hash = kStart;
    for (std::size_t end = 0; end < path.size(); ++end) {
      if (path[end] == '/') visit({path.substr(0, end), hash}, then);
      hash = step(hash, path[end]);
    }
  }

  template <class Then>
  void exactly(std::string_view folder, Then then) const {
    visit({folder, hash_of(folder)}, then);
  }

 private:
  // FNV-1a: it goes on from a beginning to what is longer.
  static constexpr std::uint64_t kStart = 0xcbf29ce484222325, kFactor = 0x100000001b3;
  static std::uint64_t step(std::uint64_t hash, char byte) {
    return (hash ^ static_cast<unsigned char>(byte)) * kFactor;
  }
  static std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = kStart;
    for (const char byte : text) hash = step(hash, byte);
    return hash;
  }
  struct Hashed {
    std::string_view text;
    std::uint64_t hash;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const std::string& text) const { return hash_of(text); }
    std::size_t operator()(const Hashed& hashed) const { return hashed.hash; }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const std::string& one, const std::string& other) const { return one == other; }
    bool operator()(const Hashed& one, const std::string& other) const { return one.text == other; }
    bool operator()(const std::string& one, const Hashed& other) const { return one == other.text; }
  };

  template <class Then>
  void visit(const Hashed& folder, Then then) const {
    if (const auto found = ids_.find(folder); found != ids_.end()) then(found->second);
  }

  std::unordered_map<std::string, Ids, Hash, Same> ids_;
};

}  // namespace aa

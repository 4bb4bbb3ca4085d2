// File records: from the too-short one up, and what becomes of their paths.
#include <cstddef>
#include <random>

#include "event/decode.h"
#include "support/builders.h"
#include "support/catch.h"

using namespace aa;
using namespace aa::test;

namespace {

const Who kCat = a_process(4300, 98'123, "cat");

// A file record as the kernel writes it.
struct RawFile {
  aa_file file{};
  std::string text;

  RawFile() {
    file.header.version = AA_RECORD_VERSION;
    file.header.kind = AA_KIND_FILE;
    file.header.tgid = kCat.id.pid;
    file.header.start_ns = kCat.id.start_ns;
    file.at.flags = AA_PATH_GIVEN;
  }
  RawFile& at(const std::string& path, const std::string& requested = "") { return put(file.at, path, requested); }
  RawFile& to(const std::string& path, const std::string& requested = "") { return put(file.to, path, requested); }
  RawFile& put(aa_file_path& raw, const std::string& path, const std::string& requested) {
    raw.flags |= AA_PATH_GIVEN;
    raw.path_len = static_cast<__u16>(path.size());
    raw.requested_len = static_cast<__u16>(requested.size());
    text += path + requested;
    return *this;
  }
  Bytes record() const {
    aa_file copy = file;
    copy.header.size = static_cast<__u32>(sizeof(copy) + text.size());
    Bytes out;
    test::put(out, copy);
    put_text(out, text);
    return out;
  }
};

FileBody decoded_file(const RawFile& raw) {
  auto event = decode(raw.record());
  if (!event) FAIL(event.error().text());
  return std::get<FileBody>(event->body);
}

bool refused(const Bytes& record) {
  return !decode(record).has_value();
}

}  // namespace

TEST_CASE("decode: a file record carries its numbers, its objects and its path") {
  RawFile raw;
  raw.at("/etc/shadow");
  raw.file.op = AA_OP_READ;
  raw.file.hook = AA_HOOK_LSM;
  raw.file.via = AA_VIA_IO_URING;
  raw.file.result = raw.file.bytes = 42;
  raw.file.dev = 7;
  raw.file.ino = 8;
  raw.file.inode_generation = 9;
  raw.file.generation = 3;
  raw.file.file = 0xffff'8881'0000'0000;
  raw.file.objects = 2;
  raw.file.object[0] = 5;
  raw.file.object[1] = 6;
  const FileBody body = decoded_file(raw);
  CHECK(body.op == FileOp::read);
  CHECK(body.at.path == "/etc/shadow");
  CHECK(body.at.ns_path.empty());
  CHECK(body.at.requested.empty());
  CHECK(body.bytes == 42);
  CHECK(body.result == 42);
  CHECK(body.ino == 8);
  CHECK(body.objects == std::vector<std::uint32_t>{5, 6});
  CHECK(body.sum_key == 0xffff'8881'0000'0000);
  CHECK(body.resolution == Resolution::kernel);
  CHECK(body.hook == FileHook::lsm);
  CHECK(body.via == FileVia::io_uring);
  CHECK_FALSE(body.flags);
  CHECK_FALSE(body.mode);
  CHECK_FALSE(body.to);
}

TEST_CASE("decode: a record says whether a folder gets another name, and whether in another mount namespace") {
  RawFile raw;
  raw.at("/a").to("/b");
  raw.file.op = AA_OP_RENAME;
  CHECK_FALSE(decoded_file(raw).is_folder);
  raw.file.flags = AA_FILE_FOLDER;
  CHECK(decoded_file(raw).is_folder);
  CHECK_FALSE(decoded_file(raw).foreign);
  raw.file.flags = AA_FILE_FOREIGN;
  CHECK_FALSE(decoded_file(raw).is_folder);
  CHECK(decoded_file(raw).foreign);
}

TEST_CASE("decode: a chroot's path is what lies below its root, with the namespace's path beside it") {
  RawFile raw;
  raw.at("/srv/jail/etc/x", "../x");
  raw.file.at.root = 9;
  FileBody body = decoded_file(raw);
  CHECK(body.at.path == "/etc/x");
  CHECK(body.at.ns_path == "/srv/jail/etc/x");
  CHECK(body.at.requested == "../x");
  raw.file.at.root = AA_ROOT_UNMET;
  body = decoded_file(raw);
  CHECK(body.at.path == "/srv/jail/etc/x");
  CHECK(body.at.outside_root);
  raw = RawFile().at("");
  CHECK(decoded_file(raw).at.path == "/");
}

TEST_CASE("decode: a name that was not resolved is joined with its folder, and says so") {
  RawFile raw;
  raw.at("/home/u", "a/b");
  raw.to("", "/tmp/c");
  raw.file.at.flags |= AA_PATH_BASE;
  raw.file.to.flags |= AA_PATH_BASE | AA_PATH_CHANGED;
  raw.file.op = AA_OP_RENAME;
  const FileBody body = decoded_file(raw);
  CHECK(body.resolution == Resolution::user);
  CHECK(body.at.path == "/home/u/a/b");
  CHECK(body.at.requested == "a/b");
  REQUIRE(body.to);
  CHECK(body.to->path == "/tmp/c");
  CHECK(body.to->requested.empty());
  CHECK(body.to->changed);
}

TEST_CASE("decode: what lies in no tree and what is too long is unresolved") {
  RawFile raw;
  raw.at("memfd:x");
  raw.file.at.flags |= AA_PATH_DETACHED;
  CHECK(decoded_file(raw).at.path == "memfd:x");
  CHECK(decoded_file(raw).resolution == Resolution::unresolved);
  CHECK_FALSE(decoded_file(raw).at.whole());
  RawFile pipe;
  pipe.at("");
  pipe.file.ino = 77;
  pipe.file.at.flags |= AA_PATH_DETACHED;
  CHECK(decoded_file(pipe).at.path == "anon:[77]");
  pipe.file.at.flags |= AA_PATH_PIPE;
  CHECK(decoded_file(pipe).at.path == "pipe:[77]");
  RawFile socket;
  socket.at("TCP");
  socket.file.ino = 78;
  socket.file.at.flags |= AA_PATH_DETACHED | AA_PATH_SOCKET;
  CHECK(decoded_file(socket).at.path == "socket:[78]");
  RawFile tail;
  tail.at("/tail");
  tail.file.at.flags |= AA_PATH_TOO_LONG;
  CHECK(decoded_file(tail).resolution == Resolution::unresolved);
}

TEST_CASE("decode: a file record that contradicts itself is refused") {
  const RawFile good = RawFile().at("/x", "y");
  Bytes record = good.record();
  for (std::size_t size = sizeof(aa_header); size < record.size(); ++size) {
    Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
    patch(cut, offsetof(aa_header, size), static_cast<std::uint32_t>(size));
    INFO(size);
    CHECK(refused(cut));
  }
  const auto with = [&](auto change) {
    RawFile bad = good;
    change(bad);
    return bad.record();
  };
  CHECK(refused(with([](RawFile& raw) { raw.file.op = AA_OPS; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.hook = 9; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.via = 9; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.objects = AA_FILE_OBJECTS + 1; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.at.path_len = 5000; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.at.requested_len = 0; })));
  CHECK(refused(with([](RawFile& raw) { raw.file.to.path_len = 1; })));
  CHECK(refused(with([](RawFile& raw) { raw.text += "z"; })));
}

TEST_CASE("decode: a sum names its file and holds its numbers") {
  aa_file_sum raw{};
  raw.header.version = AA_RECORD_VERSION;
  raw.header.kind = AA_KIND_FILE_SUM;
  raw.header.size = sizeof(raw);
  raw.header.tgid = 4300;
  raw.key.tgid = 4300;
  raw.key.start_ns = 98'123;
  raw.key.file = 5;
  raw.sum.reads = 3;
  raw.sum.read_bytes = 300;
  Bytes record;
  put(record, raw);
  const auto event = decode(record);
  REQUIRE(event);
  const FileSum& sum = std::get<FileSumBody>(event->body).sum;
  CHECK(sum.key.process == kCat.id);
  CHECK(sum.key.file == 5);
  CHECK(sum.reads == 3);
  CHECK(sum.read_bytes == 300);
  record.push_back(std::byte{0});
  patch(record, offsetof(aa_header, size), static_cast<std::uint32_t>(record.size()));
  CHECK(refused(record));
}

TEST_CASE("decode: random bytes behind a file record's header never crash it") {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes record = RawFile().at("/some/path", "requested").record();
    for (int i = 0; i < 8; ++i)
      record[sizeof(aa_header) + random() % (record.size() - sizeof(aa_header))] = static_cast<std::byte>(random());
    (void)decode(record);
  }
}

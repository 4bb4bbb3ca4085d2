// The configuration's files, watched: what counts as a change, and when.
#include "config/watch_files.h"

#include <filesystem>
#include <fstream>

#include "support/catch.h"
#include "support/scratch.h"

using namespace aa;
using aa::test::Scratch;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Watched {
  Scratch scratch;
  std::unique_ptr<FileWatch> watch;

  Watched() {
    auto made = FileWatch::make();
    REQUIRE(made);
    watch = std::move(*made);
    std::filesystem::create_directory(scratch.file("rules"));
    scratch.write("config.toml", "");
    watch->watch(scratch.file("config.toml"), {scratch.file("rules/a.rules")});
  }

  // Whether what happened since counts.
  bool changed() {
    watch->take(kSecond);
    const bool is_due = watch->next_deadline().has_value();
    if (is_due) watch->on_time();
    return is_due;
  }
};

}  // namespace

TEST_CASE("watch: the main file, files of conf.d and files of rules count, written, replaced or removed") {
  Watched house;
  const Scratch& scratch = house.scratch;
  CHECK_FALSE(house.changed());
  scratch.write("config.toml", "a");
  CHECK(house.changed());
  scratch.write("config.toml.new", "b");
  CHECK_FALSE(house.changed());
  std::filesystem::rename(scratch.file("config.toml.new"), scratch.file("config.toml"));
  CHECK(house.changed());
  scratch.write("rules/a.rules", "/x");
  CHECK(house.changed());
  scratch.write("rules/b.rules", "/x");
  scratch.write("other", "");
  CHECK_FALSE(house.changed());
  std::filesystem::remove(scratch.file("config.toml"));
  CHECK(house.changed());
}

TEST_CASE("watch: conf.d counts when it is made later, and once more when it is another one") {
  Watched house;
  const Scratch& scratch = house.scratch;
  for (int times = 0; times < 2; ++times) {
    std::filesystem::create_directory(scratch.file("conf.d"));
    CHECK(house.changed());
    scratch.write("conf.d/x.toml", "");
    CHECK(house.changed());
    scratch.write("conf.d/.x.toml", "");
    scratch.write("conf.d/x.toml~", "");
    CHECK_FALSE(house.changed());
    scratch.write("conf.d/y.json", "");
    CHECK(house.changed());
    std::filesystem::remove_all(scratch.file("conf.d"));
    CHECK(house.changed());
  }
}

TEST_CASE("watch: a file counts once it is closed, and a burst is one change, waited for two seconds at most") {
  Watched house;
  {
    std::ofstream slow(house.scratch.file("config.toml"));
    slow << "half" << std::flush;
    CHECK_FALSE(house.changed());
  }
  const auto change = [&](std::uint64_t at) {
    house.scratch.write("config.toml", "x");
    house.watch->take(at);
    return *house.watch->next_deadline();
  };
  CHECK(change(10 * kSecond) == 10 * kSecond + kSecond / 5);
  CHECK(change(11 * kSecond) == 11 * kSecond + kSecond / 5);
  CHECK(change(12 * kSecond) == 12 * kSecond);
  house.watch->on_time();
  CHECK(change(20 * kSecond) == 20 * kSecond + kSecond / 5);
}

TEST_CASE("watch: a link that is put into conf.d counts at once, a file that is only made does not") {
  Watched house;
  const Scratch& scratch = house.scratch;
  std::filesystem::create_directory(scratch.file("conf.d"));
  CHECK(house.changed());
  scratch.write("more", "");
  std::filesystem::create_symlink(scratch.file("more"), scratch.file("conf.d/soft.toml"));
  CHECK(house.changed());
  std::filesystem::create_hard_link(scratch.file("more"), scratch.file("conf.d/hard.toml"));
  CHECK(house.changed());
  std::ofstream open(scratch.file("conf.d/open.toml"));
  CHECK_FALSE(house.changed());
  open.close();
  CHECK(house.changed());
}

TEST_CASE("watch: what is not watched any more does not count") {
  Watched house;
  house.watch->watch(house.scratch.file("config.toml"), {});
  house.scratch.write("rules/a.rules", "/x");
  CHECK_FALSE(house.changed());
  house.watch->watch_nothing();
  house.scratch.write("config.toml", "x");
  CHECK_FALSE(house.changed());
}

TEST_CASE("watch: a folder may be spelt in several ways, and the main file may be a link") {
  Watched house;
  const Scratch& scratch = house.scratch;
  std::filesystem::create_directory(scratch.file("real"));
  scratch.write("real/c.toml", "");
  std::filesystem::remove(scratch.file("config.toml"));
  std::filesystem::create_symlink("real/c.toml", scratch.file("config.toml"));
  house.watch->watch(scratch.file("config.toml"), {scratch.file("./x.rules"), scratch.file("rules//a.rules")});
  (void)house.changed();
  for (const char* name : {"x.rules", "rules/a.rules", "real/c.toml"}) {
    scratch.write(name, "/x");
    CHECK(house.changed());
  }
  std::filesystem::remove(scratch.file("config.toml"));
  CHECK(house.changed());
}

TEST_CASE("watch: a file that is reached through links counts, and each link on the way") {
  Watched house;
  const Scratch& scratch = house.scratch;
  for (const char* folder : {"one", "two", "conf.d"}) std::filesystem::create_directory(scratch.file(folder));
  for (const char* file : {"one/a.rules", "two/a.rules", "one/b.toml"}) scratch.write(file, "");
  std::filesystem::create_directory_symlink("one", scratch.file("now"));
  std::filesystem::create_symlink("../one/b.toml", scratch.file("conf.d/b.toml"));
  house.watch->watch(scratch.file("config.toml"), {scratch.file("now/a.rules")});
  (void)house.changed();
  scratch.write("one/a.rules", "/x");
  CHECK(house.changed());
  scratch.write("one/b.toml", "# b");
  CHECK(house.changed());
  scratch.write("two/a.rules", "/x");
  CHECK_FALSE(house.changed());
  std::filesystem::create_directory_symlink("two", scratch.file("next"));
  std::filesystem::rename(scratch.file("next"), scratch.file("now"));
  CHECK(house.changed());
  scratch.write("two/a.rules", "/y");
  CHECK(house.changed());
  scratch.write("one/a.rules", "/y");
  CHECK_FALSE(house.changed());
}

TEST_CASE("watch: a folder on the way that is another one now counts, and so does what lies in it") {
  Watched house;
  const Scratch& scratch = house.scratch;
  std::filesystem::create_directories(scratch.file("etc/rules"));
  scratch.write("etc/config.toml", "");
  scratch.write("etc/rules/a.rules", "");
  house.watch->watch(scratch.file("etc/config.toml"), {scratch.file("etc/rules/a.rules")});
  std::filesystem::rename(scratch.file("etc"), scratch.file("old"));
  CHECK(house.changed());
  std::filesystem::create_directories(scratch.file("etc/rules"));
  CHECK(house.changed());
  scratch.write("etc/config.toml", "");
  CHECK(house.changed());
  scratch.write("etc/rules/a.rules", "/x");
  CHECK(house.changed());
  scratch.write("old/rules/a.rules", "/x");
  CHECK_FALSE(house.changed());
}

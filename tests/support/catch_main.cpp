// main() for every Catch2 suite: Catch2 3 brings its own (catch2-with-main), Catch2 2 wants it made here.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

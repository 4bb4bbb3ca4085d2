// base/resident.h: memory that was needed for a while, let go.
#pragma once

namespace aa {

// Gives back every page of code and constants, ours and the libraries': they are in their files, and those still used
// come back from there, at a microsecond each. Heap that is free goes too.
void give_back_what_starting_took();

// Gives back heap that is free, of all threads: malloc keeps it else, whatever it was once needed for. Some
// milliseconds.
void give_back_free_heap();

}  // namespace aa

// The one routine of libgfortran that LAPACK's own code calls: the names of blocks that it passes to ILAENV are put
// together from characters, as in `CALL ILAENV(1, 'DGEBRD', JOBU // JOBVT, …)`. Defined here, the whole library and its
// libquadmath stay out.
#include <cstddef>
#include <cstring>

// dest = first // second, cut or filled with blanks to its length.
extern "C" void _gfortran_concat_string(std::size_t length, char* dest, std::size_t first_length, const char* first,
                                        std::size_t second_length, const char* second) {
  if (first_length > length) first_length = length;
  if (second_length > length - first_length) second_length = length - first_length;
  std::memcpy(dest, first, first_length);
  std::memcpy(dest + first_length, second, second_length);
  std::memset(dest + first_length + second_length, ' ', length - first_length - second_length);
}

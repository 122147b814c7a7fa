// What OpenBLAS does when it is loaded, and must not. `-Wl,--wrap=NAME` sends its calls here.

// It would start a thread for every processor (or as many as OPENBLAS_NUM_THREADS and its like say), and each would keep a
// core busy for a tenth of a second, waiting. Work reaches none of them: there is one BLAS thread inside each of ours.
extern "C" int __wrap_openblas_num_threads_env() { return 1; }

// It would register that a fork first ends those threads. There are none, and the handler takes locks of OpenBLAS: in the
// middle of `child_process.spawn`, while compute threads hold them, that can wait for ever. A child that is forked and does
// not become another program does not compute.
extern "C" int __wrap_pthread_atfork(void (*)(), void (*)(), void (*)()) { return 0; }

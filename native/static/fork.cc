// OpenBLAS registers, when it is loaded, that a fork first ends its threads. It has none here (one BLAS thread inside each
// of ours), and the handler would take locks of OpenBLAS in the middle of `child_process.spawn`, while compute threads
// hold them: that can wait for ever. A child that is forked and not replaced by another program does not compute.
extern "C" int __wrap_pthread_atfork(void (*)(), void (*)(), void (*)()) { return 0; }

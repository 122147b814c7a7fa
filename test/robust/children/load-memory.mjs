// Prints the bytes of memory that a process has more when the package is loaded than before: import, addon, threads.
const before = process.memoryUsage.rss();
const { threads, versions } = await import('../../../dist/index.js');
const { build } = versions();
threads();
console.log(JSON.stringify({ build, bytes: process.memoryUsage.rss() - before }));

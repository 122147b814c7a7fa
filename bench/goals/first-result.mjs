// The clock starts when Node itself has started: what `import` and the first call cost an application.
const start = performance.now();
const { svd } = await import('../../dist/index.js');
const imported = performance.now();
svd([
  [3, 0],
  [4, 5],
]);
const end = performance.now();
console.log(JSON.stringify({ value: end - start, detail: `import ${(imported - start).toFixed(1)} ms` }));

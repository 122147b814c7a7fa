/** Names that a checkpoint or a tokenizer may have, and that must stay texts on a page. */
export const hostileNames = [
  '</script><script>globalThis.broken = true</script>',
  '<!--<script>',
  ']]>',
  '"><img src=x onerror="globalThis.broken = true">',
  '<svg/onload=globalThis.broken=true>',
  "'-globalThis.alert(1)-'",
  '&lt;b&gt;',
  '=HYPERLINK("http://example.invalid")',
  '\u202eright to left\u202c',
  '\u0000\u001b[31m\u0007',
  '\u2028\u2029\ufeff',
  '\ud800',
  '__proto__',
  'x'.repeat(2000),
  '`;globalThis.broken = true;`',
] as const;

// Imports of lib/ go down only: a room may use the rooms below it, and nothing goes round in a circle.
const rooms = [
  'cli',
  'report',
  'matchers',
  'golden',
  'diff',
  'scan',
  'circuits',
  'adapters',
  'testing',
  'weights',
  '.',
  'arguments',
  'algorithms',
  'native',
  'array',
];

const inRoom = (room) => (room === '.' ? '^lib/[^/]+$' : `^lib/${room}/`);

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '\\.d\\.c?ts$' }, to: {} },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^factored-svd-' }, // the platform packages, of which none or one is installed
    },
    {
      name: 'no-room-without-a-floor',
      severity: 'error',
      from: { path: '^lib/', pathNot: rooms.map(inRoom) },
      to: {},
    },
    ...rooms.slice(1).map((room, i) => ({
      name: `upward-from-${room === '.' ? 'the-public-functions' : room}`,
      severity: 'error',
      from: { path: inRoom(room) },
      to: { path: rooms.slice(0, i + 1).map(inRoom) },
    })),
    {
      name: 'addon-behind-native',
      comment: 'only lib/native knows the addon; the public functions ask it for threads and versions',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/native/', '^lib/runtime\\.ts$'] },
      to: { path: '^lib/native/addon\\.ts$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};

// The kernel of this machine cannot run Node.js for arm64 itself: what spawns process.execPath goes through the emulator.
process.execPath = require('node:path').join(__dirname, 'node');

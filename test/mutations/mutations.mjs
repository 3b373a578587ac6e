// Small changes that break a promise of continuous shipping, each with the tests that must notice it.

const replication = (name) => ['integration', `test/integration/replication/${name}.spec.ts`];

export const MUTATIONS = [
  {
    name: 'blocks that commits point at are left out',
    file: 'src/replication/wal-segment.ts',
    from: 'if (changes === undefined) return;',
    to: "if (changes === undefined || this.walHash !== '') return;",
    spec: replication('exact-points'),
  },
  {
    name: 'what is shipped ends anywhere, not at a commit',
    file: 'src/replication/wal-tail.ts',
    from: 'const { lastCommit, commitBefore, commits, rowGroups } = walkWal(read, start, size);',
    to: 'const { commitBefore, commits, rowGroups } = walkWal(read, start, size);\n    const lastCommit = size;',
    spec: replication('torn-end'),
  },
  {
    name: 'what is restored ends anywhere, not at a commit',
    file: 'src/restore/log-replay.ts',
    from: 'await file.truncate(lastCommit);',
    to: 'await file.truncate(offset);',
    spec: replication('torn-end'),
  },
  {
    name: 'a backup reads the database file before the log',
    file: 'src/backup/image-capture.ts',
    from: /( {4}const \{ position, tables \} = await this\.#reader\.contents\(target\);\n[^]*?)( {4}const size = files\.size\(\);\n[^]*?await upload\.blocks\([^\n]*\n)/,
    to: '$2$1',
    spec: ['integration', 'test/integration/backup/live-image.spec.ts'],
    // Whether a commit points at a block that was read too early is up to the machine.
    tries: 4,
  },
  {
    name: 'a record that another process has written is taken for the own one',
    file: 'src/replication/log-writer.ts',
    from: 'if (there?.head.nonce === head.nonce) return;',
    to: 'if (there !== undefined) return;',
    spec: replication('two-writers'),
  },
  {
    name: 'the next number is tried where another process was first',
    file: 'src/replication/log-writer.ts',
    from: 'await this.#requireOwn(head, options);',
    to: 'this.#doubtful = { head: { ...head, number: head.number + 1 }, payload };\n      return this.settle(options);',
    spec: replication('two-writers'),
  },
  {
    name: 'a process that was replaced goes on writing',
    file: 'src/replication/replication.service.ts',
    from: 'await this.database.writeGate.close(FENCED);',
    to: '',
    spec: replication('two-writers'),
  },
  {
    name: 'who waits for a commit to be durable is not told that the process was replaced',
    file: 'src/replication/replication.service.ts',
    from: '    this.shipped.fail(error);\n    await this.database.writeGate.close',
    to: '    this.shipped.advance({ iteration: 1e9, offset: 0 });\n    await this.database.writeGate.close',
    spec: replication('two-writers'),
  },
  {
    name: 'the record of a checkpoint that fails counts as a commit',
    file: 'src/duckdb-format/wal.ts',
    from: 'if (!isCheckpoint) {',
    to: 'if (lastMarker > 0) {',
    spec: replication('aborted-checkpoint'),
  },
  {
    name: 'nobody notices that a checkpoint has failed',
    file: 'src/database/fatal-watch.ts',
    from: 'if (isFatal(error)) this.#error ??=',
    to: 'if (isFatal(error) && !/Checkpoint/.test(messageOf(error))) this.#error ??=',
    spec: replication('aborted-checkpoint'),
  },
  {
    name: 'the offset of a record is counted in the iteration that has begun since',
    file: 'src/replication/log-follower.ts',
    from: "if (head.kind !== 'wal' || !this.#shipper.note(head)) return;\n    this.parts.shipped.advance({ iteration: head.iteration,",
    to: "if (head.kind !== 'wal') return;\n    this.#shipper.note(head);\n    this.parts.shipped.advance({ iteration: this.#shipper.iteration,",
    spec: replication('fold-beside-shipping'),
  },
  {
    name: 'a position is looked for in the iteration of the last mark before it',
    file: 'src/repository/point-finder.ts',
    from: "if ('position' in target) {",
    to: "if ('position' in target && mark === undefined) {",
    spec: replication('points-without-marks'),
  },
  {
    name: 'a backup goes by its age although commits of the window rest on it',
    file: 'src/backup/retention-plan.ts',
    from: 'if (candidate.isLogBase === true)',
    to: 'if (candidate.isLogBase === true && now.getTime() - timeOf(candidate.manifest, now) <= rules.keepMs)',
    spec: replication('log-retention'),
  },
  {
    name: 'what the disk has not taken is shipped',
    file: 'src/replication/iteration-shipper.ts',
    from: 'await this.parts.files.syncLog(descriptor);',
    to: '',
    spec: ['process', 'test/process/failed-fsync.spec.ts'],
  },
  {
    name: 'what a local file holds of a record is believed without its hash',
    file: 'src/restore/local-records.ts',
    from: "if (hash.digest('hex') !== wal.sha256) return false;",
    to: '',
    spec: ['integration', 'test/integration/restore/fast-forward.spec.ts'],
  },
];

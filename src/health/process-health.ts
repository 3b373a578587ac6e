import { Injectable } from '@nestjs/common';
import { freemem, hostname, loadavg, totalmem } from 'node:os';
import { StartupService } from '../lifecycle/startup.service.js';
import { APPLICATION } from '../runtime/application.js';
import type { HealthReport } from './health-report.js';

/** What the process and its host are, and what the start decided. Nothing of it can be wrong. */
@Injectable()
export class ProcessHealth {
  constructor(private readonly startup: StartupService) {}

  look(): HealthReport {
    const { rss, heapUsed } = process.memoryUsage();
    const { decision, restored } = this.startup.outcome ?? {};
    return {
      findings: [],
      facts: {
        application: APPLICATION,
        node: process.version,
        pid: process.pid,
        uptimeSeconds: Math.round(process.uptime()),
        memory: { rssBytes: rss, heapUsedBytes: heapUsed },
        host: { name: hostname(), memoryBytes: totalmem(), memoryFreeBytes: freemem(), load: loadavg() },
        start: decision === undefined ? null : { ...decision, restored: restored ?? null },
      },
    };
  }
}

import { applyDecorators, Controller, Get, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult, HealthIndicatorService } from '@nestjs/terminus';
import type { Request } from 'express';
import { ApiKeys } from '../auth/api-keys.js';
import { DatabaseHealth } from './database-health.js';
import { type HealthReport, stateOf } from './health-report.js';
import { healthSchema } from './health.schemas.js';
import { ProcessHealth } from './process-health.js';
import { Readiness } from './readiness.js';
import { RepositoryHealth } from './repository-health.js';

function HealthRoute(path: string, summary: string): MethodDecorator {
  return applyDecorators(
    Get(path),
    ApiOperation({ summary }),
    // On each route: from the controller, swagger's default answer would hide the first.
    ApiOkResponse({ standardSchema: healthSchema, description: 'Everything works, or it is degraded.' }),
    ApiServiceUnavailableResponse({ standardSchema: healthSchema, description: 'Something is down.' }),
  );
}

/** Health: open to everybody, with details for viewers. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly keys: ApiKeys,
    private readonly database: DatabaseHealth,
    private readonly repository: RepositoryHealth,
    private readonly process: ProcessHealth,
    private readonly readiness: Readiness,
  ) {}

  @HealthRoute('database', 'The database: latencies, sizes, free disk')
  async databaseHealth(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { database: await this.database.look() });
  }

  @HealthRoute('r2-sync', 'Backups and their store: reachable, last backup, what is not backed up yet')
  async repositoryHealth(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { 'r2-sync': await this.repository.look() });
  }

  @HealthRoute('full', 'Database, backups, process and host. A store that is down only degrades it.')
  async full(@Req() request: Request): Promise<HealthCheckResult> {
    const [database, repository] = await Promise.all([this.database.look(), this.repository.look()]);
    // The service works without its store, so a load balancer that asks here must not take it out.
    const findings = repository.findings.map(({ what }) => ({ state: 'degraded' as const, what }));
    return this.#answer(request, {
      database,
      'r2-sync': { ...repository, findings },
      process: this.process.look(),
    });
  }

  @HealthRoute('live', 'Whether the process should be left running')
  live(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { process: this.readiness.alive() });
  }

  @HealthRoute('ready', 'Whether requests should be sent here')
  ready(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { service: this.readiness.ready() });
  }

  async #answer(request: Request, reports: Readonly<Record<string, HealthReport>>): Promise<HealthCheckResult> {
    const viewer = this.keys.optionalViewer(request) !== undefined;
    return this.health.check(
      Object.entries(reports).map(([name, report]) => () => {
        const findings = report.findings.map(({ what }) => what);
        const shown: Record<string, unknown> = viewer ? { findings, ...report.facts } : {};
        const indicator = this.indicators.check(name);
        switch (stateOf(report)) {
          case 'up':
            return indicator.up(shown);
          case 'degraded':
            return indicator.degraded(shown);
          case 'down':
            return indicator.down(shown);
        }
      }),
    );
  }
}

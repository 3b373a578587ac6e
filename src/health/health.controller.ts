import { Controller, Get, Req } from '@nestjs/common';
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

/** Health: open to everybody, with details for viewers. */
@ApiTags('health')
@ApiOkResponse({ standardSchema: healthSchema, description: 'Everything works, or it is degraded.' })
@ApiServiceUnavailableResponse({ standardSchema: healthSchema, description: 'Something is down.' })
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

  @ApiOperation({ summary: 'The database: latencies, sizes, free disk' })
  @Get('database')
  async databaseHealth(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { database: await this.database.look() });
  }

  @ApiOperation({ summary: 'Backups and their store: reachable, last backup, what is not backed up yet' })
  @Get('r2-sync')
  async repositoryHealth(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { 'r2-sync': await this.repository.look() });
  }

  @ApiOperation({ summary: 'Database, backups, process and host. A store that is down only degrades it.' })
  @Get('full')
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

  @ApiOperation({ summary: 'Whether the process should be left running' })
  @Get('live')
  live(@Req() request: Request): Promise<HealthCheckResult> {
    return this.#answer(request, { process: this.readiness.alive() });
  }

  @ApiOperation({ summary: 'Whether requests should be sent here' })
  @Get('ready')
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

import { Body, Controller, Get, Headers, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { prefers } from '../operations/prefer.js';
import { ApiProblems } from '../http/api-problems.js';
import {
  type Event,
  type EventPage,
  eventPageSchema,
  eventSchema,
  type EventsQuery,
  eventsQuerySchema,
  idSchema,
  type Registration,
  type RegistrationBody,
  registrationBodySchema,
  registrationSchema,
} from './events.schemas.js';
import { EventsService } from './events.service.js';
import { RegistrationService } from './registration.service.js';

/** Events and their registrations: how application code uses the database. */
@ApiTags('events')
@ApiProblems('DATABASE_CLOSED', 'QUERY_TIMEOUT')
@Controller('events')
export class EventsController {
  constructor(
    private readonly events: EventsService,
    private readonly registrations: RegistrationService,
  ) {}

  @ApiOperation({ summary: 'Published events, the earliest first' })
  @ApiOkResponse({ standardSchema: eventPageSchema })
  @ApiProblems('REQUEST_INVALID')
  @Get()
  list(@Query({ schema: eventsQuerySchema }) query: EventsQuery): Promise<EventPage> {
    return this.events.list(query);
  }

  @ApiOperation({ summary: 'One event, with the seats that are taken and left' })
  @ApiOkResponse({ standardSchema: eventSchema })
  @ApiProblems('REQUEST_INVALID', 'EVENT_NOT_FOUND')
  @Get(':id')
  get(@Param('id', { schema: idSchema }) id: number): Promise<Event> {
    return this.events.get(id);
  }

  @ApiOperation({
    summary: 'Registers a user for an event',
    description:
      'With `Prefer: durable` the answer comes when the commit is in the store: not even a lost disk undoes it then.',
  })
  @ApiHeader({ name: 'Prefer', required: false, schema: { type: 'string', example: 'durable' } })
  @ApiCreatedResponse({ standardSchema: registrationSchema })
  @ApiProblems(
    'REQUEST_INVALID',
    'EVENT_NOT_FOUND',
    'USER_NOT_FOUND',
    'ALREADY_REGISTERED',
    'EVENT_CLOSED',
    'EVENT_FULL',
    'DATABASE_READ_ONLY',
    'DATABASE_DISK_FULL',
    'DURABILITY_UNAVAILABLE',
    'COMMIT_NOT_DURABLE',
    'REPLICATION_FENCED',
    'REQUEST_TOO_LARGE',
  )
  @Post(':id/registrations')
  register(
    @Param('id', { schema: idSchema }) id: number,
    @Body({ schema: registrationBodySchema }) body: RegistrationBody,
    @Headers('prefer') prefer: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Registration> {
    const durable = prefers(prefer, 'durable');
    if (durable) response.setHeader('Preference-Applied', 'durable');
    return this.registrations.register(id, body.userId, { durable });
  }
}

using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>A provider tells, by itself, how an attempt of ours stands.</summary>
public sealed record PaymentReported(AttemptReference Reference, PaymentAnswer Answer) : INeutralEvent;

namespace Payments.Acquirer;

/// <summary>How the state looks to callers.</summary>
internal static class Views
{
    /// <param name="address">Where the cardholder's page is served.</param>
    public static PaymentView Of(Payment payment, string address, bool withOperations = true)
    {
        var card = Tokens.Card(payment.Token)!;
        return new()
        {
            Id = payment.Id,
            Reference = payment.Reference,
            Status = payment.Status,
            Amount = payment.Amount,
            Currency = payment.Currency,
            AuthorizedAmount = payment.Authorized,
            CapturedAmount = payment.Captured,
            RefundedAmount = payment.Refunded,
            PendingRefundAmount = payment.RefundsPending,
            CanceledAmount = payment.Canceled,
            DeclineCode = payment.DeclineCode,
            RedirectUrl = payment.Status == PaymentStatus.RequiresAction ? $"{address}/redirect/{payment.Id}" : null,
            NetworkTransactionId = Ids.Text("ntx_", payment.Key)[..19],
            Card = new(card.Brand, card.Last4, card.Country),
            StatementDescriptor = payment.StatementDescriptor,
            ReturnUrl = payment.ReturnUrl,
            Customer = payment.Customer,
            Metadata = payment.Metadata,
            CreatedAt = payment.CreatedAt,
            Operations = withOperations ? [.. payment.Operations.Select(Part)] : null,
        };
    }

    public static OperationView Of(Operation operation, string address) => Part(operation) with
    {
        PaymentId = operation.Payment.Id,
        PaymentReference = operation.Payment.Reference,
        Payment = Of(operation.Payment, address, withOperations: false),
    };

    public static PayoutView Of(Payout payout) => new()
    {
        Id = payout.Id,
        Reference = payout.Reference,
        Status = payout.Status,
        Amount = payout.Amount,
        Currency = payout.Currency,
        FailureCode = payout.FailureCode,
        StatementDescriptor = payout.StatementDescriptor,
        AccountEnding = payout.AccountEnding,
        CreatedAt = payout.CreatedAt,
    };

    public static DisputeView Of(Dispute dispute) => new()
    {
        Id = dispute.Id,
        PaymentId = dispute.Payment.Id,
        PaymentReference = dispute.Payment.Reference,
        Status = dispute.Status,
        Stage = dispute.Stage,
        Amount = dispute.Amount,
        Currency = dispute.Currency,
        ReasonCode = dispute.ReasonCode,
        Network = Tokens.Card(dispute.Payment.Token)!.Brand,
        EvidenceDueBy = dispute.EvidenceDueBy,
        HasEvidence = dispute.Evidence is not null,
        HeldAmount = dispute.Held,
        Funds = dispute.Funds,
        Version = dispute.Version,
        CreatedAt = dispute.CreatedAt,
        UpdatedAt = dispute.UpdatedAt,
    };

    private static OperationView Part(Operation operation) => new()
    {
        Object = operation.Kind,
        Id = operation.Id,
        Reference = operation.Reference,
        Status = operation.Status,
        Amount = operation.Amount,
        Currency = operation.Payment.Currency,
        FailureCode = operation.FailureCode,
        CreatedAt = operation.CreatedAt,
    };
}

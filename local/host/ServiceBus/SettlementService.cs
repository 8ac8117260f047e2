using FunctionsHost.Protocol;

namespace FunctionsHost.ServiceBus;

internal sealed class SettlementService : Settlement.SettlementBase;
